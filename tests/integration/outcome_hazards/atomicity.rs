//! A call that fails leaves nothing behind, in whatever way it tells.

/// Rows of which the last fails a CHECK.
fn input() -> Vec<(&'static str, i32)> {
    const KEYS: [&str; 12] = ["l", "b", "x", "d", "a", "f", "g", "h", "i", "j", "k", "z"];
    KEYS.into_iter()
        .map(|k| (k, if k == "z" { -1 } else { 7 }))
        .collect()
}

const CREATE: &str = "DROP TABLE IF EXISTS items; \
     CREATE TABLE items (id INTEGER NOT NULL PRIMARY KEY, k VARCHAR(20) NOT NULL UNIQUE, \
     v INTEGER NOT NULL, CONSTRAINT v_is_not_negative CHECK (v >= 0)); \
     INSERT INTO items (id, k, v) VALUES (1, 'a', 1), (2, 'b', 5)";

macro_rules! atomicity_on {
    ($system:ident, $id:literal) => {
        mod $system {
            use diesel::connection::SimpleConnection;
            use diesel::prelude::*;

            use crate::outcome_hazards::$system::{name, table, text};
            use crate::outcome_hazards::{Case, How, Way, in_full};
            use crate::support::$system::{Conn, TestDatabase};

            fn lines(conn: &mut Conn) -> String {
                let lines = table(conn, "k").into_iter().map(|(_, line)| line);
                lines.collect::<Vec<_>>().join(" ")
            }

            #[test]
            fn a_call_that_fails_leaves_nothing_behind() {
                let mut database = TestDatabase::new();
                let mut other = database.connect();
                let input = super::input();
                let create = super::CREATE.replace("INTEGER NOT NULL PRIMARY KEY", $id);
                let hows = [How::Update, How::Nothing, How::Smaller, How::SmallerChanged];
                for (way, how) in Way::TELLING
                    .into_iter()
                    .flat_map(|way| hows.map(|how| (way, how)))
                {
                    for chunk_size in [1, 5, 1000] {
                        let context = format!("{way:?} {how:?} {chunk_size}");
                        database.run(&create);
                        let conn = &mut database.conn;
                        let fail = |conn: &mut Conn| {
                            let error = text::call(conn, &input, how, way, chunk_size).unwrap_err();
                            let error = in_full(&error);
                            assert!(
                                error.contains("CHECK") || error.contains("v_is_not_negative"),
                                "{error}"
                            );
                        };
                        fail(conn);
                        assert_eq!(lines(&mut other), "a=1 b=5", "{context}");
                        // In the caller's transaction, and a savepoint of it.
                        let add = |conn: &mut Conn, id: i32| {
                            let insert =
                                format!("INSERT INTO items (id, k, v) VALUES ({id}, 'c{id}', 0)");
                            conn.batch_execute(&insert)
                        };
                        let told = conn.transaction(|conn| {
                            add(conn, 901)?;
                            fail(conn);
                            assert_eq!(lines(conn), "a=1 b=5 c901=0", "{context}");
                            let undone = conn.transaction(|conn| {
                                add(conn, 902)?;
                                fail(conn);
                                assert_eq!(lines(conn), "a=1 b=5 c901=0 c902=0", "{context}");
                                Err::<(), _>(diesel::result::Error::RollbackTransaction)
                            });
                            assert!(undone.is_err());
                            conn.transaction(|conn| {
                                fail(conn);
                                add(conn, 903)
                            })?;
                            let told = text::call(conn, &input[..5], how, way, chunk_size).unwrap();
                            diesel::QueryResult::Ok(told)
                        });
                        let (told, after) = (told.unwrap(), table(&mut other, "k"));
                        let existing = match how {
                            How::Nothing => ["Skipped b=5 b=5", "Skipped a=1 a=1"],
                            _ => ["Updated b=5 b=7", "Updated a=1 a=7"],
                        };
                        let expected = format!(
                            "Inserted - l=7; {}; Inserted - x=7; Inserted - d=7; {}",
                            existing[0], existing[1],
                        );
                        let expected = Case::<&str>::new("", "", how, &[])
                            .tells(&expected, "")
                            .told(way);
                        assert_eq!(name(&told, &after), expected.join("; "), "{context}");
                        let existing = if how == How::Nothing {
                            "a=1 b=5"
                        } else {
                            "a=7 b=7"
                        };
                        assert_eq!(
                            lines(&mut other),
                            format!("{existing} c901=0 c903=0 d=7 l=7 x=7"),
                            "{context}"
                        );
                    }
                }
            }
        }
    };
}

atomicity_on!(sqlite, "INTEGER NOT NULL PRIMARY KEY");
#[cfg(feature = "postgres")]
atomicity_on!(postgres, "SERIAL PRIMARY KEY");
#[cfg(feature = "mysql")]
atomicity_on!(mysql, "INTEGER NOT NULL AUTO_INCREMENT PRIMARY KEY");
