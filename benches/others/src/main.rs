//! The same upsert by other libraries, on PostgreSQL: 100 000 rows of 6 columns in no order,
//! into an empty table and into one of a million rows, of which they are some.
//!
//! `cargo run --release --manifest-path benches/others/Cargo.toml` prints a table. It needs
//! `PG_DATABASE_URL`; SQLAlchemy is left out where `python3` has no `sqlalchemy` and
//! `psycopg2`. The candidates take turns, and what is compared are the medians of one run.
//!
//! `-- --rows N`, `-- --table N` and `-- --rounds N` change the sizes.

use std::process::Command;
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue, Database, EntityTrait, TransactionTrait};
use tokio::runtime::{Builder, Runtime};
use upsert_core::{Upsertable, upsert};

#[path = "../../support/table.rs"]
mod table;

use table::{CREATE, Reading, argument, median, reading};

fn readings(count: usize, numbers: usize) -> Vec<Reading> {
    let ids = (0..count).map(|i| (i * 7919 + 13) % numbers);
    ids.map(|id| reading(id as i32)).collect()
}

mod entity {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "upsert_bench")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: i32,
        pub sensor: String,
        #[sea_orm(column_type = "Double")]
        pub value: f64,
        pub quality: i32,
        pub note: Option<String>,
        pub updated_at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// One array for each column, in one statement.
fn by_sqlx(runtime: &Runtime, conn: &mut sqlx::PgConnection, rows: &[Reading]) {
    let sql = "INSERT INTO upsert_bench (id, sensor, value, quality, note, updated_at) \
         SELECT * FROM unnest($1::int[], $2::text[], $3::float8[], $4::int[], $5::text[], \
         $6::bigint[]) ON CONFLICT (id) DO UPDATE SET sensor = excluded.sensor, \
         value = excluded.value, quality = excluded.quality, note = excluded.note, \
         updated_at = excluded.updated_at";
    let query = sqlx::query(sql)
        .bind(rows.iter().map(|row| row.id).collect::<Vec<_>>())
        .bind(
            rows.iter()
                .map(|row| row.sensor.as_str())
                .collect::<Vec<_>>(),
        )
        .bind(rows.iter().map(|row| row.value).collect::<Vec<_>>())
        .bind(rows.iter().map(|row| row.quality).collect::<Vec<_>>())
        .bind(
            rows.iter()
                .map(|row| row.note.as_deref())
                .collect::<Vec<_>>(),
        )
        .bind(rows.iter().map(|row| row.updated_at).collect::<Vec<_>>());
    let done = runtime.block_on(query.execute(conn)).unwrap();
    assert_eq!(done.rows_affected(), rows.len() as u64);
}

/// `insert_many`, in batches of 5000, in one transaction.
fn by_sea_orm(runtime: &Runtime, conn: &sea_orm::DatabaseConnection, rows: &[Reading]) {
    let written = runtime.block_on(async {
        let transaction = conn.begin().await?;
        for rows in rows.chunks(5000) {
            let models = rows.iter().map(|row| entity::ActiveModel {
                id: ActiveValue::Set(row.id),
                sensor: ActiveValue::Set(row.sensor.clone()),
                value: ActiveValue::Set(row.value),
                quality: ActiveValue::Set(row.quality),
                note: ActiveValue::Set(row.note.clone()),
                updated_at: ActiveValue::Set(row.updated_at),
            });
            let mut conflict = OnConflict::column(entity::Column::Id);
            conflict.update_columns([
                entity::Column::Sensor,
                entity::Column::Value,
                entity::Column::Quality,
                entity::Column::Note,
                entity::Column::UpdatedAt,
            ]);
            let insert = entity::Entity::insert_many(models).on_conflict(conflict);
            insert.exec_without_returning(&transaction).await?;
        }
        transaction.commit().await
    });
    written.unwrap();
}

/// The time of SQLAlchemy, as it says itself.
fn by_sqlalchemy(url: &str, count: usize, numbers: usize) -> Option<Duration> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/sqlalchemy_upsert.py");
    let mut python = Command::new("python3");
    let numbers = [count.to_string(), numbers.to_string()];
    let output = python.args([script, url]).args(numbers).output().ok()?;
    let shown = String::from_utf8_lossy(&output.stdout);
    let Ok(seconds) = shown.trim().parse() else {
        let error = String::from_utf8_lossy(&output.stderr);
        eprintln!(
            "left out: SQLAlchemy: {}",
            error.lines().last().unwrap_or_default()
        );
        return None;
    };
    Some(Duration::from_secs_f64(seconds))
}

const NAMES: [&str; 4] = [
    "`bulk_upsert`",
    "sqlx, `unnest` by hand",
    "SeaORM, `insert_many`, batches of 5000",
    "SQLAlchemy, `execute(stmt, list)`",
];

fn main() {
    let url = std::env::var("PG_DATABASE_URL").expect("`PG_DATABASE_URL`");
    let mut conn = PgConnection::establish(&url).unwrap();
    conn.batch_execute("SET client_min_messages = warning")
        .unwrap();
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let mut sqlx_conn: sqlx::PgConnection =
        runtime.block_on(sqlx::Connection::connect(&url)).unwrap();
    let sea_orm_conn = runtime.block_on(Database::connect(&url)).unwrap();

    let count = argument("--rows", 100_000);
    println!("| rows before | candidate | median | against `bulk_upsert` |");
    println!("|--:|---|--:|--:|");
    for existing in [0, argument("--table", 1_000_000)] {
        let numbers = count.max(existing);
        let rows = readings(count, numbers);
        let mut times = NAMES.map(|_| Vec::new());
        for round in 0..=argument("--rounds", 5) {
            for (i, times) in times.iter_mut().enumerate() {
                let create = format!("DROP TABLE IF EXISTS upsert_bench; {CREATE}");
                conn.batch_execute(&create).unwrap();
                if existing > 0 {
                    upsert(readings(existing, existing))
                        .execute(&mut conn)
                        .unwrap();
                }
                for sql in ["VACUUM ANALYZE upsert_bench", "CHECKPOINT"] {
                    conn.batch_execute(sql).unwrap();
                }
                let start = Instant::now();
                let time = match i {
                    0 => {
                        Reading::bulk_upsert(&mut conn, &rows).unwrap();
                        Some(start.elapsed())
                    }
                    1 => {
                        by_sqlx(&runtime, &mut sqlx_conn, &rows);
                        Some(start.elapsed())
                    }
                    2 => {
                        by_sea_orm(&runtime, &sea_orm_conn, &rows);
                        Some(start.elapsed())
                    }
                    _ => by_sqlalchemy(&url, count, numbers),
                };
                // The first round warms up.
                times.extend(time.filter(|_| round > 0));
            }
        }
        let ours = median(&mut times[0]);
        for (name, times) in NAMES.iter().zip(&mut times) {
            if !times.is_empty() {
                let median = median(times);
                let ratio = median.as_secs_f64() / ours.as_secs_f64();
                println!(
                    "| {existing} | {name} | {} ms | {ratio:.2} |",
                    median.as_millis()
                );
            }
        }
    }
    conn.batch_execute("DROP TABLE upsert_bench").unwrap();
}
