//! What the database says of a model, before rows are sent.

use std::fmt;

use crate::error::Place;

/// What the database says of a model; [`Upsertable::verify`](crate::Upsertable::verify) makes
/// it.
///
/// Its `Display` is for people:
///
/// ```text
/// `products` on conflict (sku): 1 problem
///   problem: there is no unique index on the conflict target: mark the fields of one that there is, `products_pkey` on (id), with `#[conflict_key]`, or create one, `CREATE UNIQUE INDEX "products_sku_key" ON "products" ("sku")`
/// ```
///
/// The types of columns are not compared.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verification {
    /// The table and the conflict target; no rows.
    pub place: Place,
    /// The unique index that decides whether a row exists, where its name is known.
    pub index: Option<String>,
    /// What makes calls fail, or do something else than the model says.
    pub problems: Vec<Finding>,
    /// What is good to know.
    pub notes: Vec<Finding>,
}

impl Verification {
    /// Fits the model the table?
    #[must_use]
    pub fn is_ok(&self) -> bool {
        self.problems.is_empty()
    }

    /// Panics if there are problems, for tests.
    ///
    /// ```
    /// # include!("doctest_setup.rs");
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let conn = &mut connection();
    /// // #[test]
    /// // fn the_models_fit_the_schema() {
    /// Product::verify(conn)?.assert_ok();
    /// // }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// If the model does not fit the table, with all that was found.
    #[track_caller]
    pub fn assert_ok(&self) {
        assert!(self.is_ok(), "{self}");
    }
}

impl fmt::Display for Verification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.place)?;
        match (self.problems.len(), &self.index) {
            (0, Some(index)) => write!(f, "the unique index is `{index}`")?,
            (0, None) => f.write_str("no problem")?,
            (1, _) => f.write_str("1 problem")?,
            (count, _) => write!(f, "{count} problems")?,
        }
        for problem in &self.problems {
            write!(f, "\n  problem: {problem}")?;
        }
        for note in &self.notes {
            write!(f, "\n  note: {note}")?;
        }
        Ok(())
    }
}

/// A unique index of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct UniqueIndex {
    /// Its name; on SQLite and MySQL that of a primary key is `PRIMARY KEY` or `PRIMARY`.
    pub name: String,
    /// Its columns, and its expressions as the database shows them, or `..`.
    pub parts: Vec<String>,
}

impl fmt::Display for UniqueIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` on ({})", self.name, self.parts.join(", "))
    }
}

/// Something that the database says of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Finding {
    /// There is no such table, or it is not in the search path.
    NoTable,
    /// The table has not the column.
    NoColumn(String),
    /// No unique index is on the conflict target.
    NoUniqueIndex {
        /// The statement that creates one.
        create: String,
        /// The unique indexes that there are, the primary key first.
        others: Vec<UniqueIndex>,
    },
    /// A unique index is on the conflict target's columns, but cannot decide.
    UnusableIndex {
        /// The index.
        index: UniqueIndex,
        /// Why it cannot, and what to do.
        reason: String,
    },
    /// The database refuses the statement of the model: its message, which is about the
    /// statement, as no row was in it.
    Refused(String),
    /// An `INSERT` needs a value for the column, which is `NOT NULL` without a DEFAULT, but the
    /// model does not have it. A BEFORE trigger may give it one.
    RequiredColumn(String),
    /// The database computes the column, and takes no value for it.
    GeneratedColumn(String),
    /// The column takes NULL in `diesel::table!`, but not in the table.
    NotNullColumn(String),
    /// The column is `NOT NULL` in `diesel::table!`, but takes NULL in the table, so that a row
    /// may not be readable.
    NullableColumn(String),
    /// Rows with NULL in the column of the conflict target conflict with none, and are
    /// inserted each time.
    NullableKey(String),
    /// A unique index that is not the conflict target's.
    OtherUniqueIndex(UniqueIndex),
    /// MySQL or MariaDB without the strict mode stores something else than what does not fit
    /// into a column.
    NotStrict {
        /// The session's `sql_mode`.
        sql_mode: String,
    },
    /// The table's storage engine has no transactions, so that nothing is undone.
    NoTransactions {
        /// The engine.
        engine: String,
    },
    /// SQLite: a constraint of the table says `ON CONFLICT` and this, which holds for a row that
    /// has the values of another row in it.
    DeclaredConflict(String),
    /// The catalog does not have the table, as it is a temporary one or of another database, but
    /// the database takes the statement.
    NotInCatalog,
    /// It is a view, of whose indexes the catalog says nothing.
    IsView,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoTable => f.write_str(
                "there is no such table, or it is not in the search path of this connection",
            ),
            Self::NoColumn(column) => write!(
                f,
                "the table has no column `{column}`: add it, or leave its field out",
            ),
            Self::NoUniqueIndex { create, others } => {
                f.write_str("there is no unique index on the conflict target: ")?;
                if let Some((first, rest)) = others.split_first() {
                    write!(f, "mark the fields of one that there is, {first}")?;
                    for other in rest {
                        write!(f, ", {other}")?;
                    }
                    f.write_str(", with `#[conflict_key]`, or ")?;
                }
                write!(f, "create one, `{create}`")
            }
            Self::UnusableIndex { index, reason } => write!(f, "the unique index {index} {reason}"),
            Self::Refused(message) => write!(f, "the database refuses the statement: {message}"),
            Self::RequiredColumn(column) => write!(
                f,
                "`{column}` is NOT NULL and has no DEFAULT, but the model does not have it, so no \
                 row can be inserted: give the model a field for it, or the column a DEFAULT",
            ),
            Self::GeneratedColumn(column) => write!(
                f,
                "the database computes `{column}` and takes no value for it: mark its field with \
                 `#[diesel(skip_insertion)]`, or leave it out",
            ),
            Self::NotNullColumn(column) => write!(
                f,
                "`{column}` takes NULL in `table!`, but is NOT NULL in the table, so a row with \
                 `None` fails: run `diesel print-schema` again",
            ),
            Self::NullableColumn(column) => write!(
                f,
                "`{column}` takes NULL in the table, but is NOT NULL in `table!`, so a row may not \
                 be readable",
            ),
            Self::NullableKey(column) => write!(
                f,
                "rows with NULL in `{column}` conflict with no other, and are inserted each time",
            ),
            Self::OtherUniqueIndex(index) => write!(
                f,
                "the unique index {index} is not the conflict target's: a row that has the values \
                 of another row in it makes its call fail",
            ),
            Self::NotStrict { sql_mode } => write!(
                f,
                "without STRICT_TRANS_TABLES the server stores something else than values that do \
                 not fit into their columns: add it to the `sql_mode`, which is '{sql_mode}'",
            ),
            Self::NoTransactions { engine } => write!(
                f,
                "{engine} has no transactions, so what a failed call has written stays: `ALTER \
                 TABLE .. ENGINE = InnoDB`",
            ),
            Self::DeclaredConflict(action) => write!(
                f,
                "a constraint of the table says ON CONFLICT {action}: where it is not the conflict \
                 target's, a row that has the values of another row in it {}, and no error is told",
                match action.as_str() {
                    "REPLACE" => "deletes that row",
                    "IGNORE" => "is not written",
                    _ => "ends the call, and rows before it may stay",
                },
            ),
            Self::NotInCatalog => f.write_str(
                "the catalog does not have the table, a temporary one perhaps: only the statement \
                 was looked at, and no index",
            ),
            Self::IsView => f.write_str("it is a view, of whose indexes the catalog says nothing"),
        }
    }
}
