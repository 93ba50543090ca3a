//! Vaultwarden: whole rows, in tables that have a second unique key.

/// `None` overwrites, and children of a row stay.
mod accounts {
    use diesel::prelude::*;
    use diesel::result::{DatabaseErrorKind, Error as DieselError};
    use upsert_core::{Error, Upsertable};

    use crate::support::on_every_database;

    diesel::table! {
        account (uuid) {
            uuid -> Text,
            email -> Text,
            name -> Text,
            hint -> Nullable<Text>,
            api_key -> Nullable<Text>,
            kdf_iter -> Integer,
            updated_at -> Integer,
        }
    }

    diesel::table! {
        folder (uuid) {
            uuid -> Text,
            account_uuid -> Text,
        }
    }

    const CREATE: &str = "CREATE TABLE account (uuid VARCHAR(4) NOT NULL PRIMARY KEY, \
         email VARCHAR(60) NOT NULL UNIQUE, name VARCHAR(60) NOT NULL, hint VARCHAR(60), \
         api_key VARCHAR(60), kdf_iter INTEGER NOT NULL, updated_at INTEGER NOT NULL); \
         CREATE TABLE folder (uuid VARCHAR(4) NOT NULL PRIMARY KEY, \
         account_uuid VARCHAR(4) NOT NULL, \
         FOREIGN KEY (account_uuid) REFERENCES account (uuid) ON DELETE CASCADE); \
         INSERT INTO account VALUES ('u1', 'a@x', 'Ann', 'cat', 'k1', 1000, 1); \
         INSERT INTO folder VALUES ('f1', 'u1')";

    #[derive(Debug, PartialEq, Queryable, Upsertable)]
    #[diesel(table_name = account)]
    #[upsert(update_all)]
    struct Account {
        #[conflict_key]
        uuid: String,
        email: String,
        name: String,
        hint: Option<String>,
        api_key: Option<String>,
        kdf_iter: i32,
        updated_at: i32,
    }

    fn account(
        uuid: &str,
        email: &str,
        name: &str,
        hint: Option<&str>,
        api_key: Option<&str>,
        kdf_iter: i32,
        updated_at: i32,
    ) -> Account {
        Account {
            uuid: uuid.to_owned(),
            email: email.to_owned(),
            name: name.to_owned(),
            hint: hint.map(str::to_owned),
            api_key: api_key.map(str::to_owned),
            kdf_iter,
            updated_at,
        }
    }

    on_every_database! {
        shared {
            fn state(conn: &mut Conn) -> Vec<Account> {
                let folders: Vec<(String, String)> = folder::table.load(conn).unwrap();
                assert_eq!(folders, [("f1".to_owned(), "u1".to_owned())]);
                account::table.order(account::uuid).load(conn).unwrap()
            }
        }

        #[test]
        fn accounts_are_saved(database) {
            database.run(CREATE);
            let conn = &mut database.conn;

            let ann = account("u1", "a@x", "Ann B", None, None, 2000, 2);
            assert_eq!(ann.upsert(conn).unwrap(), 1);
            assert_eq!(state(conn), [ann]);

            let accounts = [
                account("u2", "b@x", "Bob", None, Some("k2"), 1000, 3),
                account("u1", "a2@x", "Ann B", Some("dog"), None, 2000, 4),
            ];
            assert_eq!(Account::bulk_upsert(conn, &accounts).unwrap(), 2);
            let [bob, ann] = accounts;
            let expected = [ann, bob];
            assert_eq!(state(conn), expected);

            // Bob's address.
            let error = account("u3", "b@x", "Eve", None, None, 1000, 5).upsert(conn).unwrap_err();
            assert!(matches!(error, Error::OtherUniqueIndex { .. }), "{error:?}");
            let error = DieselError::from(error);
            let DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, _) = error else {
                panic!("{error:?}");
            };
            assert_eq!(state(conn), expected);
        }
    }
}

/// The second unique key is the one that the application means.
mod two_factor {
    use diesel::prelude::*;
    use diesel::result::{DatabaseErrorKind, Error as DieselError};
    use upsert_core::{Error, Upsertable};

    use crate::support::on_every_database;

    diesel::table! {
        twofactor (uuid) {
            uuid -> Text,
            user_uuid -> Text,
            atype -> Integer,
            data -> Text,
        }
    }

    const CREATE: &str = "CREATE TABLE twofactor (uuid VARCHAR(4) NOT NULL PRIMARY KEY, \
         user_uuid VARCHAR(4) NOT NULL, atype INTEGER NOT NULL, data VARCHAR(40) NOT NULL, \
         UNIQUE (user_uuid, atype)); \
         INSERT INTO twofactor VALUES ('t1', 'u', 0, 'old'), ('t2', 'u', 1, 'x')";

    #[derive(Debug, PartialEq, Queryable, Upsertable)]
    #[diesel(table_name = twofactor)]
    #[upsert(update_all)]
    struct TwoFactor {
        #[conflict_key]
        uuid: String,
        user_uuid: String,
        atype: i32,
        data: String,
    }

    fn two_factor(uuid: &str, user_uuid: &str, atype: i32, data: &str) -> TwoFactor {
        TwoFactor {
            uuid: uuid.to_owned(),
            user_uuid: user_uuid.to_owned(),
            atype,
            data: data.to_owned(),
        }
    }

    on_every_database! {
        shared {
            fn state(conn: &mut Conn) -> Vec<TwoFactor> {
                twofactor::table.order(twofactor::uuid).load(conn).unwrap()
            }

            /// Writes `new` in place of the row of its user and type, whatever
            /// `uuid` that has.
            fn replace(conn: &mut Conn, new: &TwoFactor) -> upsert_core::Result<usize> {
                use self::twofactor::dsl::*;
                conn.transaction(|conn| {
                    let displaced = twofactor
                        .filter(user_uuid.eq(&new.user_uuid))
                        .filter(atype.eq(new.atype))
                        .filter(uuid.ne(&new.uuid));
                    diesel::delete(displaced).execute(conn)?;
                    new.upsert(conn)
                })
            }
        }

        #[test]
        fn a_second_factor_is_replaced(database) {
            database.run(CREATE);
            let conn = &mut database.conn;

            assert_eq!(two_factor("t1", "u", 0, "new").upsert(conn).unwrap(), 1);
            let mut expected = [two_factor("t1", "u", 0, "new"), two_factor("t2", "u", 1, "x")];
            assert_eq!(state(conn), expected);

            let new = two_factor("t9", "u", 1, "y");
            let error = new.upsert(conn).unwrap_err();
            assert!(matches!(error, Error::OtherUniqueIndex { .. }), "{error:?}");
            let error = DieselError::from(error);
            let DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, _) = error else {
                panic!("{error:?}");
            };
            assert_eq!(state(conn), expected);

            assert_eq!(replace(conn, &new).unwrap(), 1);
            expected[1] = new;
            assert_eq!(state(conn), expected);
        }
    }
}
