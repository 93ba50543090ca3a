//! What round trips cost: an upsert of 10 000 rows with 6 columns, half of which
//! exist, through diesel-async on a database that is 0, 2 and 10 ms away.
//!
//! `cargo bench --bench remote` prints a table. The servers are those of
//! `PG_DATABASE_URL` and `MYSQL_DATABASE_URL`, where a database is left out whose
//! address is not set; a proxy in this process adds the time, half on the
//! way there and half on the way back. It is compared with what is written by hand:
//! diesel-async's own insert with `ON CONFLICT`, in one transaction, in chunks of
//! each of several sizes. The candidates take turns, and what is compared are the
//! medians of one run.
//!
//! `-- --rows N` and `-- --rounds N` change the size.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use diesel::QueryResult;
use diesel_async::{
    AsyncConnection, AsyncMysqlConnection, AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection,
};
use upsert_core::asynchronous::Upsertable;

mod support;

use support::{
    CREATE, Reading, argument, existing, median, milliseconds, readings, stock, stock_mysql,
};

/// The sizes of the chunks that are written by hand.
const CHUNKS: [usize; 3] = [500, 1000, 5000];

macro_rules! by_hand {
    ($name:ident, $conn:ty, |$rows:ident| $statement:expr) => {
        async fn $name(conn: &mut $conn, rows: &[Reading], chunk: usize) {
            conn.transaction(async |conn| {
                for $rows in rows.chunks(chunk) {
                    $statement.execute(conn).await?;
                }
                QueryResult::Ok(())
            })
            .await
            .unwrap();
        }
    };
}

by_hand!(postgres_by_hand, AsyncPgConnection, |rows| stock!(rows));

by_hand!(mysql_by_hand, AsyncMysqlConnection, |rows| stock_mysql!(
    rows
));

/// Runs all candidates in turn on a database, `delay` away.
macro_rules! measure {
    ($name:literal, $conn:ty, $url:expr, $by_hand:ident, $truncate:literal, $rows:expr) => {
        for delay in [0, 2, 10] {
            let rows: &[Reading] = $rows;
            let conn = &mut <$conn>::establish(&proxy($url, Duration::from_millis(delay)))
                .await
                .unwrap();
            let mut times = vec![Vec::new(); 1 + CHUNKS.len()];
            for round in 0..=argument("--rounds", 9) {
                for (candidate, times) in times.iter_mut().enumerate() {
                    conn.batch_execute($truncate).await.unwrap();
                    Reading::bulk_upsert(conn, existing(rows)).await.unwrap();
                    let start = Instant::now();
                    if candidate == 0 {
                        Reading::bulk_upsert(conn, rows).await.unwrap();
                    } else {
                        $by_hand(conn, rows, CHUNKS[candidate - 1]).await;
                    }
                    // The first round warms up.
                    if round > 0 {
                        times.push(start.elapsed());
                    }
                }
            }
            let medians: Vec<_> = times.iter_mut().map(|times| median(times)).collect();
            print!(
                "| {} | {delay} ms | {:.1} ms |",
                $name,
                milliseconds(medians[0])
            );
            for by_hand in &medians[1..] {
                let ratio = medians[0].as_secs_f64() / by_hand.as_secs_f64();
                print!(" {:.1} ms, {ratio:.2} |", milliseconds(*by_hand));
            }
            println!();
        }
    };
}

#[tokio::main]
async fn main() {
    let rows = readings(argument("--rows", 10_000), false);
    print!("| database | away | `bulk_upsert` |");
    for chunk in CHUNKS {
        print!(" by hand, {chunk} rows |");
    }
    println!("\n|---|---|---|{}", "---|".repeat(CHUNKS.len()));
    if let Some(url) = support::server("PG_DATABASE_URL") {
        let conn = &mut AsyncPgConnection::establish(&url).await.unwrap();
        conn.batch_execute(&format!("DROP TABLE IF EXISTS upsert_bench; {CREATE}"))
            .await
            .unwrap();
        measure!(
            "PostgreSQL",
            AsyncPgConnection,
            &url,
            postgres_by_hand,
            "TRUNCATE upsert_bench",
            &rows
        );
        conn.batch_execute("DROP TABLE upsert_bench").await.unwrap();
    }
    if let Some(url) = support::server("MYSQL_DATABASE_URL") {
        let conn = &mut AsyncMysqlConnection::establish(&url).await.unwrap();
        conn.batch_execute("DROP TABLE IF EXISTS upsert_bench")
            .await
            .unwrap();
        conn.batch_execute(CREATE).await.unwrap();
        measure!(
            "MariaDB",
            AsyncMysqlConnection,
            &url,
            mysql_by_hand,
            "TRUNCATE upsert_bench",
            &rows
        );
        conn.batch_execute("DROP TABLE upsert_bench").await.unwrap();
    }
}

/// The address of a proxy for the server at `url` that is `away` from it, there
/// and back.
fn proxy(url: &str, away: Duration) -> String {
    let (scheme, rest) = url.split_once("://").unwrap();
    let (user, address) = rest.split_once('@').unwrap_or(("", rest));
    let (host, database) = address.split_once('/').unwrap();
    let port = if scheme.starts_with("mysql") {
        3306
    } else {
        5432
    };
    let server = if host.contains(':') {
        host.to_owned()
    } else {
        format!("{host}:{port}")
    };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let own = listener.local_addr().unwrap();
    thread::spawn(move || {
        for client in listener.incoming() {
            let client = client.unwrap();
            let server = TcpStream::connect(&server).unwrap();
            for stream in [&client, &server] {
                stream.set_nodelay(true).unwrap();
            }
            pump(
                client.try_clone().unwrap(),
                server.try_clone().unwrap(),
                away / 2,
            );
            pump(server, client, away / 2);
        }
    });
    // mysql_async would go on through the server's socket, past the proxy.
    let direct = if port == 3306 {
        "?prefer_socket=false"
    } else {
        ""
    };
    format!("{scheme}://{user}@{own}/{database}{direct}")
}

/// Passes on what is read, each part `late`.
fn pump(mut from: TcpStream, mut to: TcpStream, late: Duration) {
    let (sender, receiver) = mpsc::channel::<(Instant, Vec<u8>)>();
    thread::spawn(move || {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            if sender
                .send((Instant::now() + late, buffer[..count].to_vec()))
                .is_err()
            {
                break;
            }
        }
    });
    thread::spawn(move || {
        for (due, bytes) in receiver {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            if to.write_all(&bytes).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
    });
}
