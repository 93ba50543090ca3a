//! What the database says of a model, before rows are sent.

use diesel::prelude::*;
use upsert_core::{Finding, Verification};

use crate::api::{Upsertable, wait};
use crate::support::{System, on_every_database};

diesel::table! {
    products (sku) {
        sku -> VarChar,
        name -> VarChar,
        price -> Nullable<Integer>,
    }
}

#[derive(Debug, Upsertable)]
#[diesel(table_name = products)]
struct Product {
    #[conflict_key]
    sku: String,
    #[on_conflict(update)]
    name: String,
    #[on_conflict(update)]
    price: Option<i32>,
}

/// The same with another key.
#[derive(Debug, Upsertable)]
#[diesel(table_name = products)]
struct ByName {
    sku: String,
    #[conflict_key]
    name: String,
    #[on_conflict(update)]
    price: Option<i32>,
}

/// The same with a key that may be NULL.
#[derive(Debug, Upsertable)]
#[diesel(table_name = products)]
struct ByPrice {
    sku: String,
    #[on_conflict(update)]
    name: String,
    #[conflict_key(nullable)]
    price: Option<i32>,
}

/// Without a price.
#[derive(Debug, Upsertable)]
#[diesel(table_name = products)]
struct Named {
    #[conflict_key]
    sku: String,
    #[on_conflict(update)]
    name: String,
}

const CREATE: &str = "CREATE TABLE products (sku VARCHAR(20) NOT NULL PRIMARY KEY, \
     name VARCHAR(20) NOT NULL, price INTEGER)";

fn texts(findings: &[Finding]) -> Vec<String> {
    findings.iter().map(Finding::to_string).collect()
}

#[track_caller]
fn assert_problem(verification: &Verification, problem: &str) {
    assert_eq!(texts(&verification.problems), [problem], "{verification}");
    assert!(!verification.is_ok());
}

on_every_database! {
    #[test]
    fn a_model_that_fits(database) {
        database.run(CREATE);
        let found = wait(Product::verify(&mut database.conn)).unwrap();
        found.assert_ok();
        assert!(found.notes.is_empty(), "{found}");
        let name = match system::SYSTEM {
            System::Sqlite => "PRIMARY KEY",
            #[cfg(feature = "postgres")]
            System::Postgres => "products_pkey",
            #[cfg(feature = "mysql")]
            System::Mysql => "PRIMARY",
        };
        assert_eq!(
            found.to_string(),
            format!("`products` on conflict (sku): the unique index is `{name}`")
        );
        wait(Named::verify(&mut database.conn)).unwrap().assert_ok();
    }

    #[test]
    fn no_table(database) {
        let found = wait(Product::verify(&mut database.conn)).unwrap();
        assert_problem(
            &found,
            "there is no such table, or it is not in the search path of this connection",
        );
        assert_eq!(
            found.to_string(),
            "`products` on conflict (sku): 1 problem\n  problem: there is no such table, or it is \
             not in the search path of this connection"
        );
    }

    #[test]
    #[should_panic(expected = "there is no such table")]
    fn the_assertion_panics_with_what_was_found(database) {
        wait(Product::verify(&mut database.conn)).unwrap().assert_ok();
    }

    #[test]
    fn no_unique_index(database) {
        database.run(CREATE);
        database.run("CREATE UNIQUE INDEX by_price ON products (price)");
        let found = wait(ByName::verify(&mut database.conn)).unwrap();
        let quote = if system::SYSTEM.is_postgres() { '"' } else { '`' };
        let create = "CREATE UNIQUE INDEX `products_name_key` ON `products` (`name`)";
        let create = create.replace('`', &quote.to_string());
        let key = match system::SYSTEM {
            System::Sqlite => "PRIMARY KEY",
            #[cfg(feature = "postgres")]
            System::Postgres => "products_pkey",
            #[cfg(feature = "mysql")]
            System::Mysql => "PRIMARY",
        };
        assert_problem(
            &found,
            &format!(
                "there is no unique index on the conflict target: mark the fields of one that \
                 there is, `{key}` on (sku), `by_price` on (price), with `#[conflict_key]`, or \
                 create one, `{create}`"
            ),
        );
        // It is what it takes.
        database.run(&create);
        let found = wait(ByName::verify(&mut database.conn)).unwrap();
        found.assert_ok();
        assert_eq!(found.index.as_deref(), Some("products_name_key"));
        assert_eq!(
            texts(&found.notes),
            [
                format!(
                    "the unique index `{key}` on (sku) is not the conflict target's: a row that \
                     has the values of another row in it makes its call fail"
                ),
                "the unique index `by_price` on (price) is not the conflict target's: a row that \
                 has the values of another row in it makes its call fail"
                    .to_owned(),
            ]
        );
    }

    #[test]
    fn columns_that_do_not_match(database) {
        database.run(
            "CREATE TABLE products (sku VARCHAR(20) NOT NULL PRIMARY KEY, name VARCHAR(20), \
             price INTEGER NOT NULL, stock INTEGER NOT NULL, sold INTEGER NOT NULL DEFAULT 0)",
        );
        let found = wait(Product::verify(&mut database.conn)).unwrap();
        assert_eq!(
            texts(&found.problems),
            [
                "`price` takes NULL in `table!`, but is NOT NULL in the table, so a row with \
                 `None` fails: run `diesel print-schema` again",
                "`stock` is NOT NULL and has no DEFAULT, but the model does not have it, so no \
                 row can be inserted: give the model a field for it, or the column a DEFAULT",
            ]
        );
        assert_eq!(
            texts(&found.notes),
            ["`name` takes NULL in the table, but is NOT NULL in `table!`, so a row may not be \
              readable"]
        );
        database.run("DROP TABLE products");
        database.run("CREATE TABLE products (sku VARCHAR(20) NOT NULL PRIMARY KEY, price INTEGER)");
        let found = wait(Product::verify(&mut database.conn)).unwrap();
        assert_problem(&found, "the table has no column `name`: add it, or leave its field out");
    }

    #[test]
    fn a_generated_column(database) {
        database.run(
            "CREATE TABLE products (sku VARCHAR(20) NOT NULL PRIMARY KEY, \
             name VARCHAR(20) NOT NULL, \
             price INTEGER GENERATED ALWAYS AS (length(name)) STORED)",
        );
        let found = wait(Product::verify(&mut database.conn)).unwrap();
        assert_problem(
            &found,
            "the database computes `price` and takes no value for it: mark its field with \
             `#[diesel(skip_insertion)]`, or leave it out",
        );
        wait(Named::verify(&mut database.conn)).unwrap().assert_ok();
    }

    #[test]
    fn a_key_that_may_be_null(database) {
        database.run(CREATE);
        database.run("CREATE UNIQUE INDEX by_price ON products (price)");
        let found = wait(ByPrice::verify(&mut database.conn)).unwrap();
        found.assert_ok();
        assert_eq!(
            texts(&found.notes)[0],
            "rows with NULL in `price` conflict with no other, and are inserted each time"
        );
    }

    #[test]
    fn in_the_callers_transaction_nothing_is_ended(database) {
        database.run(CREATE);
        let conn = &mut database.conn;
        let product = |sku: &str| Product {
            sku: sku.to_owned(),
            name: "new".to_owned(),
            price: None,
        };
        conn.transaction(|conn| {
            wait(product("a").upsert(conn))?;
            assert!(!wait(ByName::verify(conn))?.is_ok());
            wait(product("b").upsert(conn))?;
            Ok::<_, upsert_core::Error>(())
        })
        .unwrap();
        let count: i64 = products::table.count().get_result(conn).unwrap();
        assert_eq!(count, 2);
    }
}

/// With a partial index, and an index of an expression.
mod targets {
    use super::*;

    diesel::define_sql_function! {
        fn lower(text: diesel::sql_types::Text) -> diesel::sql_types::Text;
    }

    #[derive(Debug, Upsertable)]
    #[diesel(table_name = products)]
    #[upsert(target_where = products::price.is_null())]
    struct Current {
        sku: String,
        #[conflict_key]
        name: String,
        #[on_conflict(update)]
        price: Option<i32>,
    }

    #[derive(Debug, Upsertable)]
    #[diesel(table_name = products)]
    #[upsert(target = lower(products::name))]
    struct Lower {
        sku: String,
        name: String,
        #[on_conflict(update)]
        price: Option<i32>,
    }

    macro_rules! target_tests {
        ($system:ident) => {
            mod $system {
                use super::*;
                use crate::support::$system::TestDatabase;

                #[test]
                fn a_partial_index_needs_its_predicate() {
                    let mut database = TestDatabase::new();
                    database.run(CREATE);
                    database
                        .run("CREATE UNIQUE INDEX current ON products (name) WHERE price IS NULL");
                    let found = wait(Current::verify(&mut database.conn)).unwrap();
                    found.assert_ok();
                    assert_eq!(found.index.as_deref(), Some("current"));
                    let found = wait(ByName::verify(&mut database.conn)).unwrap();
                    let [Finding::UnusableIndex { index, reason }] = &*found.problems else {
                        panic!("{found}");
                    };
                    assert_eq!(index.to_string(), "`current` on (name)");
                    assert!(
                        reason.starts_with(
                            "is a partial one: give the model its predicate, \
                             `#[upsert(target_where = ..)]` for `"
                        ),
                        "{reason}"
                    );
                    assert!(reason.contains("price IS NULL"), "{reason}");
                }

                #[test]
                fn an_index_of_an_expression() {
                    let mut database = TestDatabase::new();
                    database.run(CREATE);
                    let found = wait(Lower::verify(&mut database.conn)).unwrap();
                    let create = match &*found.problems {
                        [Finding::NoUniqueIndex { create, .. }] => create.clone(),
                        _ => panic!("{found}"),
                    };
                    database.run(&create);
                    let found = wait(Lower::verify(&mut database.conn)).unwrap();
                    found.assert_ok();
                }
            }
        };
    }

    target_tests!(sqlite);
    #[cfg(feature = "postgres")]
    target_tests!(postgres);
}

mod on_sqlite_only {
    use super::*;
    use crate::support::sqlite::TestDatabase;

    #[test]
    fn a_number_of_a_composite_key_is_required() {
        let mut database = TestDatabase::new();
        database.run(
            "CREATE TABLE products (sku VARCHAR(20) NOT NULL UNIQUE, name VARCHAR(20) NOT NULL, \
             price INTEGER, shop INTEGER NOT NULL, PRIMARY KEY (shop, sku))",
        );
        let found = wait(Product::verify(&mut database.conn)).unwrap();
        assert!(
            matches!(&*found.problems, [Finding::RequiredColumn(shop)] if shop == "shop"),
            "{found}"
        );
    }
}

#[cfg(feature = "postgres")]
mod on_postgres_only {
    use super::*;
    use crate::support::postgres::TestDatabase;

    #[derive(Debug, Upsertable)]
    #[diesel(table_name = products)]
    #[upsert(constraint = "one_name")]
    struct ByConstraint {
        sku: String,
        #[conflict_key]
        name: String,
        #[on_conflict(update)]
        price: Option<i32>,
    }

    #[test]
    fn indexes_that_cannot_decide() {
        let mut database = TestDatabase::new();
        database.run(CREATE);
        database.run(
            "ALTER TABLE products ADD CONSTRAINT one_name UNIQUE (name) \
             DEFERRABLE INITIALLY IMMEDIATE",
        );
        let deferrable = "the unique index `one_name` on (name) is of a DEFERRABLE constraint, \
                          which cannot be a conflict target: make it NOT DEFERRABLE";
        assert_problem(
            &wait(ByName::verify(&mut database.conn)).unwrap(),
            deferrable,
        );
        assert_problem(
            &wait(ByConstraint::verify(&mut database.conn)).unwrap(),
            deferrable,
        );
        database.run("ALTER TABLE products DROP CONSTRAINT one_name");
        let found = wait(ByConstraint::verify(&mut database.conn)).unwrap();
        assert!(
            matches!(&*found.problems, [Finding::NoUniqueIndex { .. }]),
            "{found}"
        );

        database.run("ALTER TABLE products ADD CONSTRAINT one_name UNIQUE (name)");
        for found in [
            wait(ByName::verify(&mut database.conn)).unwrap(),
            wait(ByConstraint::verify(&mut database.conn)).unwrap(),
        ] {
            found.assert_ok();
            assert_eq!(found.index.as_deref(), Some("one_name"));
        }
        database
            .run("UPDATE pg_index SET indisvalid = FALSE WHERE indexrelid = 'one_name'::regclass");
        let found = wait(ByName::verify(&mut database.conn)).unwrap();
        assert_problem(
            &found,
            "the unique index `one_name` on (name) is invalid, as it could not be built: drop it, \
             and create it again",
        );
    }

    #[test]
    fn several_indexes_that_decide() {
        let mut database = TestDatabase::new();
        database.run(CREATE);
        database.run("CREATE UNIQUE INDEX again ON products (sku)");
        let found = wait(Product::verify(&mut database.conn)).unwrap();
        found.assert_ok();
        assert!(found.notes.is_empty() && found.index.is_some(), "{found}");
        database.run(
            "ALTER TABLE products DROP CONSTRAINT products_pkey; \
             ALTER TABLE products ADD CONSTRAINT products_pkey PRIMARY KEY (sku) DEFERRABLE",
        );
        let found = wait(Product::verify(&mut database.conn)).unwrap();
        assert_problem(
            &found,
            "the unique index `products_pkey` on (sku) is of a DEFERRABLE constraint, which cannot \
             be a conflict target: make it NOT DEFERRABLE",
        );
    }

    #[test]
    fn rights_to_read_no_more_than_the_key() {
        #[derive(Debug, Upsertable)]
        #[diesel(table_name = products)]
        #[upsert(do_nothing)]
        struct New {
            #[conflict_key]
            sku: String,
            name: String,
        }
        let mut database = TestDatabase::new();
        database.run(CREATE);
        let role = format!(
            "inserter_{}",
            crate::support::postgres::connection_id(&mut database.conn)
        );
        database.run(&format!("CREATE ROLE {role}"));
        database.run(&format!(
            "DO $$ BEGIN EXECUTE format('GRANT USAGE ON SCHEMA %I TO {role}', current_schema()); \
             END $$; GRANT INSERT, SELECT (sku) ON products TO {role}; SET ROLE {role}"
        ));
        let found = wait(New::verify(&mut database.conn));
        database.run(&format!(
            "RESET ROLE; DROP OWNED BY {role}; DROP ROLE {role}"
        ));
        found.unwrap().assert_ok();
    }

    #[test]
    fn nulls_that_are_equal() {
        let mut database = TestDatabase::new();
        database.run(CREATE);
        database.run("CREATE UNIQUE INDEX by_price ON products (price) NULLS NOT DISTINCT");
        let found = wait(ByPrice::verify(&mut database.conn)).unwrap();
        found.assert_ok();
        assert_eq!(found.notes.len(), 1, "{found}");
    }

    #[test]
    fn rights_that_are_missing() {
        let mut database = TestDatabase::new();
        database.run(CREATE);
        let role = format!("reader_{}", std::process::id());
        database.run(&format!("CREATE ROLE {role}"));
        database.run(&format!(
            "GRANT USAGE ON SCHEMA public TO {role}; \
             DO $$ BEGIN EXECUTE format('GRANT USAGE ON SCHEMA %I TO {role}', current_schema()); \
             END $$; GRANT INSERT, SELECT ON products TO {role}; SET ROLE {role}"
        ));
        let found = wait(Product::verify(&mut database.conn));
        database.run(&format!(
            "RESET ROLE; DROP OWNED BY {role}; DROP ROLE {role}"
        ));
        assert_problem(
            &found.unwrap(),
            "the database refuses the statement: permission denied for table products",
        );
    }

    #[test]
    fn a_trigger_may_give_a_column_its_value() {
        let mut database = TestDatabase::new();
        database.run(CREATE);
        database.run(
            "ALTER TABLE products ADD stock INTEGER NOT NULL; \
             CREATE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN NEW.stock := 0; RETURN NEW; END $$; \
             CREATE TRIGGER fill BEFORE INSERT ON products FOR EACH ROW EXECUTE FUNCTION fill()",
        );
        let found = wait(Product::verify(&mut database.conn)).unwrap();
        found.assert_ok();
        assert!(
            matches!(&*found.notes, [Finding::RequiredColumn(_)]),
            "{found}"
        );
    }
}

#[cfg(feature = "mysql")]
mod on_mysql_only {
    use super::*;
    use crate::support::mysql::TestDatabase;

    #[test]
    fn settings_and_tables_that_lose_values() {
        let mut database = TestDatabase::new();
        database.run(CREATE);
        database.run("SET sql_mode = 'NO_ENGINE_SUBSTITUTION'");
        let found = wait(Product::verify(&mut database.conn)).unwrap();
        assert_problem(
            &found,
            "without STRICT_TRANS_TABLES the server stores something else than values that do not \
             fit into their columns: add it to the `sql_mode`, which is 'NO_ENGINE_SUBSTITUTION'",
        );
        database.run("SET sql_mode = 'STRICT_TRANS_TABLES'");
        database.run("ALTER TABLE products ENGINE = MyISAM");
        let found = wait(Product::verify(&mut database.conn)).unwrap();
        assert_problem(
            &found,
            "MyISAM has no transactions, so what a failed call has written stays: `ALTER TABLE .. \
             ENGINE = InnoDB`",
        );
    }

    #[test]
    fn a_temporary_table() {
        let mut database = TestDatabase::new();
        database.run(&CREATE.replace("CREATE TABLE", "CREATE TEMPORARY TABLE"));
        let found = wait(Product::verify(&mut database.conn)).unwrap();
        found.assert_ok();
        assert!(matches!(&*found.notes, [Finding::NotInCatalog]), "{found}");
    }

    /// The statement fails for the column, and would for the index.
    #[test]
    fn two_problems_at_once() {
        let mut database = TestDatabase::new();
        database.run(CREATE);
        database.run("ALTER TABLE products ADD stock INTEGER NOT NULL");
        let found = wait(ByName::verify(&mut database.conn)).unwrap();
        assert!(
            matches!(
                &*found.problems,
                [Finding::RequiredColumn(_), Finding::NoUniqueIndex { .. }]
            ),
            "{found}"
        );
    }

    #[test]
    fn an_index_on_the_beginning_of_a_column() {
        let mut database = TestDatabase::new();
        database.run(CREATE);
        database.run("CREATE UNIQUE INDEX start ON products (name(3))");
        let found = wait(ByName::verify(&mut database.conn)).unwrap();
        assert_problem(
            &found,
            "the unique index `start` on (name) is on the beginning of a column only, which other \
             values may have too: make it on the whole column",
        );
    }
}
