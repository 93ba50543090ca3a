//! Asks the database about a model.

use std::future::Future;

use diesel::query_builder::{AstPass, QueryFragment};
use diesel::result::{Error as DieselError, QueryResult};

use super::{Begun, begin, place};
use crate::dialect::{Catalog, Dialect, Fact, Fault};
use crate::error::{CONSTRAINT, Error, Result, message};
use crate::field::ColumnDef;
use crate::model::Model;
use crate::select::UpsertFromStatement;
use crate::session::{LoadSession, Texts};
use crate::sql::{push_identifiers, quoted};
use crate::verify::{Finding, UniqueIndex, Verification};

/// Says how the table fits the model.
pub(crate) async fn verify<S>(session: &mut S, model: Model<'_, S::Backend>) -> Result<Verification>
where
    S: LoadSession<Backend: Catalog>,
{
    // A refused statement must not end the caller's transaction.
    let begun = begin(session, true).await?;
    let found = look(session, model).await;
    if begun != Begun::Nothing {
        let undone = session.rollback().await;
        // What has failed first tells more.
        return found.and_then(|found| undone.map(|()| found).map_err(Error::Connection));
    }
    found
}

async fn look<S>(session: &mut S, model: Model<'_, S::Backend>) -> Result<Verification>
where
    S: LoadSession<Backend: Catalog>,
{
    let mut found = Verification {
        place: *place(&model, Vec::new()),
        index: None,
        problems: Vec::new(),
        notes: Vec::new(),
    };
    let table = model.table.clone();
    let facts = texts(session, &*S::Backend::facts(&table)).await?;
    if facts.is_empty() {
        // A temporary table, or one of another database, need not be in the catalog.
        match explained(session, model).await? {
            Ok(_) => found.notes.push(Finding::NotInCatalog),
            Err(_) => found.problems.push(Finding::NoTable),
        }
        return Ok(found);
    }
    let create = create_index(&model)?;
    let columns = texts(session, &*S::Backend::columns(&table)).await?;
    let indexes = texts(session, &*S::Backend::unique_indexes(&table)).await?;
    let table = Table {
        facts,
        columns: columns.into_iter().map(Column::read).collect(),
        indexes: indexes_of(indexes),
    };
    table.compare(&model, &mut found);
    let (mut target, mut arbiters) = (table.target(&model), Vec::new());
    // A statement with a column that is not there, or takes no value, fails for that.
    let fails = |it: &Finding| matches!(it, Finding::NoColumn(_) | Finding::GeneratedColumn(_));
    if !found.problems.iter().any(fails) {
        let plan = explained(session, model).await?;
        if let Ok(names) = &plan {
            let is_named = |it: &&Index| names.contains(&it.name);
            arbiters = table.indexes.iter().filter(is_named).collect();
            target = arbiters.first().copied().or(target);
        }
        let deciding = if arbiters.is_empty() {
            target.as_slice()
        } else {
            &arbiters
        };
        let mut deciding = deciding.iter();
        let obstacle = deciding.find_map(|it| it.obstacle(plan.is_ok()));
        let is_missing = match &plan {
            Ok(_) => !S::Backend::NEEDS_INDEX && target.is_none() && !table.is_view(),
            Err(error) => {
                S::Backend::fault(error) == Fault::NoUniqueIndex
                    || !S::Backend::NEEDS_INDEX && target.is_none()
            }
        };
        match plan {
            _ if obstacle.is_some() => found.problems.extend(obstacle),
            _ if is_missing => found.problems.push(table.no_index(create)),
            Ok(_) => found.index = target.map(|index| index.name.clone()),
            // What was found by itself is most likely why.
            Err(error) if found.problems.is_empty() => {
                let message = message(&error).map_or_else(|| error.to_string(), str::to_owned);
                found.problems.push(Finding::Refused(message));
            }
            Err(_) => {}
        }
    }
    arbiters.extend(target);
    table.note(&mut found, &arbiters);
    Ok(found)
}

/// The rows of a query.
fn texts<S: LoadSession>(
    session: &mut S,
    query: &dyn QueryFragment<S::Backend>,
) -> impl Future<Output = Result<Vec<Texts>>> {
    // The query, which need not be `Sync`, is not needed any more.
    let texts = session.load_texts(query);
    async { texts.await.map_err(Error::Connection) }
}

/// The statement that creates a unique index on the target.
fn create_index<DB: Dialect>(model: &Model<'_, DB>) -> Result<String> {
    let place = place(model, Vec::new());
    let columns = model.target_columns();
    if columns.is_empty() {
        return Ok(place.create_index());
    }
    let quoted = |name: &str| {
        quoted::<DB>(name).map_err(|source| Error::of_building(model.plain_table(), source))
    };
    let columns = columns.iter().map(|it| quoted(it));
    let columns = columns.collect::<Result<Vec<_>>>()?.join(", ");
    let (index, table) = (quoted(&place.index_name())?, &model.table);
    let predicate = place.where_predicate();
    Ok(format!(
        "CREATE UNIQUE INDEX {index} ON {table} ({columns}){predicate}"
    ))
}

/// Lets the database look at the statement of a model, and returns the unique indexes that it
/// names.
async fn explained<S>(
    session: &mut S,
    model: Model<'_, S::Backend>,
) -> Result<core::result::Result<Vec<String>, DieselError>>
where
    S: LoadSession<Backend: Catalog>,
{
    let rows = NoRows {
        table: model.table.clone(),
        columns: model.columns.clone(),
    };
    let statement = Explained(UpsertFromStatement::of(model, rows)?);
    let begun = begin(session, true).await?;
    let plan = match S::Backend::ARBITER {
        Some(_) => session.load_texts(&statement).await,
        None => session.execute(&statement).await.map(|_| Vec::new()),
    };
    if begun != Begun::Nothing {
        session.rollback().await.map_err(Error::Connection)?;
    }
    Ok(plan.map(|lines| {
        let lines = lines.iter().flatten().flatten();
        let listed = lines.filter_map(|line| line.trim().strip_prefix(S::Backend::ARBITER?));
        let names = listed.flat_map(|names| names.split(", "));
        names.map(str::to_owned).collect()
    }))
}

/// A statement that is not run.
struct Explained<F>(F);

impl<DB: Catalog, F: QueryFragment<DB>> QueryFragment<DB> for Explained<F> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        out.unsafe_to_cache_prepared();
        out.push_sql(DB::EXPLAIN);
        self.0.walk_ast(out.reborrow())
    }
}

/// The query for no row of the table.
struct NoRows {
    table: String,
    columns: Vec<ColumnDef>,
}

impl<DB: Catalog> QueryFragment<DB> for NoRows {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        out.push_sql("SELECT ");
        push_identifiers(self.columns.iter().map(|column| column.name), &mut out)?;
        out.push_sql(" FROM ");
        DB::push_columns_of(&self.table, &mut out);
        out.push_sql(" WHERE 1 = 0");
        Ok(())
    }
}

/// A table, as the catalog describes it.
struct Table {
    facts: Vec<Texts>,
    columns: Vec<Column>,
    indexes: Vec<Index>,
}

struct Column {
    name: String,
    is_nullable: bool,
    has_default: bool,
    is_generated: bool,
}

struct Index {
    name: String,
    /// `None` for an expression.
    columns: Vec<Option<String>>,
    predicate: Option<String>,
    flaw: Option<Flaw>,
    nulls_are_equal: bool,
}

/// Why an index on the target's columns cannot decide whether a row exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flaw {
    Invalid,
    Deferrable,
    /// It has the beginning of a column only.
    Prefix,
}

/// The next text of a row.
fn next(row: &mut impl Iterator<Item = Option<String>>) -> Option<String> {
    row.next().flatten()
}

/// Is the next text `yes`?
fn yes(row: &mut impl Iterator<Item = Option<String>>) -> bool {
    next(row).as_deref() == Some("yes")
}

impl Column {
    fn read(row: Texts) -> Self {
        let row = &mut row.into_iter();
        Self {
            name: next(row).unwrap_or_default(),
            is_nullable: yes(row),
            has_default: yes(row),
            is_generated: yes(row),
        }
    }
}

/// The indexes whose parts these are.
fn indexes_of(parts: Vec<Texts>) -> Vec<Index> {
    let mut indexes: Vec<Index> = Vec::new();
    for row in parts {
        let row = &mut row.into_iter();
        let name = next(row).unwrap_or_default();
        let column = next(row);
        let predicate = next(row);
        let flaws = [
            (Flaw::Invalid, !yes(row)),
            (Flaw::Deferrable, yes(row)),
            (Flaw::Prefix, yes(row)),
        ];
        let flaw = flaws
            .into_iter()
            .find(|(_, has)| *has)
            .map(|(flaw, _)| flaw);
        match indexes.last_mut() {
            Some(last) if last.name == name => {
                last.columns.push(column);
                last.flaw = last.flaw.or(flaw);
            }
            _ => indexes.push(Index {
                name,
                columns: vec![column],
                predicate,
                flaw,
                nulls_are_equal: yes(row),
            }),
        }
    }
    indexes
}

impl Index {
    /// Has it exactly these columns?
    fn is_on(&self, columns: &[&'static str]) -> bool {
        self.columns.len() == columns.len()
            && self.columns.iter().all(|own| {
                let mut columns = columns.iter();
                own.as_ref()
                    .is_some_and(|own| columns.any(|it| own.eq_ignore_ascii_case(it)))
            })
    }

    fn shown(&self) -> UniqueIndex {
        let part = |column: &Option<String>| column.clone().unwrap_or_else(|| "..".to_owned());
        UniqueIndex {
            name: self.name.clone(),
            parts: self.columns.iter().map(part).collect(),
        }
    }

    /// Why it cannot decide whether a row exists, for a statement that the database takes or
    /// does not.
    fn obstacle(&self, is_taken: bool) -> Option<Finding> {
        let reason = match (self.flaw, &self.predicate) {
            (Some(Flaw::Invalid), _) => {
                "is invalid, as it could not be built: drop it, and create it again".to_owned()
            }
            (Some(Flaw::Deferrable), _) => "is of a DEFERRABLE constraint, which cannot be a \
                                            conflict target: make it NOT DEFERRABLE"
                .to_owned(),
            (Some(Flaw::Prefix), _) => "is on the beginning of a column only, which other values \
                                        may have too: make it on the whole column"
                .to_owned(),
            (None, Some(predicate)) if !is_taken => format!(
                "is a partial one: give the model its predicate, `#[upsert(target_where = ..)]` \
                 for `{predicate}`"
            ),
            (None, _) => return None,
        };
        Some(Finding::UnusableIndex {
            index: self.shown(),
            reason,
        })
    }
}

impl Table {
    fn fact(&self, name: &str) -> Option<&str> {
        let mut facts = self.facts.iter();
        let fact = facts.find(|fact| fact.first().is_some_and(|it| it.as_deref() == Some(name)))?;
        fact.get(1)?.as_deref()
    }

    fn is_view(&self) -> bool {
        self.fact(Fact::KIND) == Some("view")
    }

    fn column(&self, name: &str) -> Option<&Column> {
        self.columns
            .iter()
            .find(|it| it.name.eq_ignore_ascii_case(name))
    }

    /// The index on the columns of the target, the best of them.
    fn target<DB: Dialect>(&self, model: &Model<'_, DB>) -> Option<&Index> {
        let names = model.target_names();
        if let [name] = names.as_slice() {
            if let Some(constraint) = name.strip_prefix(CONSTRAINT) {
                return self.indexes.iter().find(|it| it.name == constraint);
            }
        }
        let columns = model.target_columns();
        let is_partial = model.has_predicate();
        let on_columns = || self.indexes.iter().filter(|it| it.is_on(columns));
        on_columns()
            .find(|it| it.flaw.is_none() && it.predicate.is_some() == is_partial)
            .or_else(|| on_columns().next())
    }

    /// Compares the columns with the model's.
    fn compare<DB: Dialect>(&self, model: &Model<'_, DB>, found: &mut Verification) {
        let (problems, notes) = (&mut found.problems, &mut found.notes);
        for column in &model.columns {
            let name = || column.name.to_owned();
            match self.column(column.name) {
                None => problems.push(Finding::NoColumn(name())),
                Some(own) if own.is_generated => problems.push(Finding::GeneratedColumn(name())),
                Some(own) if column.is_nullable && !own.is_nullable && !own.has_default => {
                    problems.push(Finding::NotNullColumn(name()));
                }
                Some(own) if !column.is_nullable && own.is_nullable => {
                    notes.push(Finding::NullableColumn(name()));
                }
                Some(_) => {}
            }
        }
        let is_missing = |own: &&Column| {
            let mut columns = model.columns.iter();
            !own.is_nullable
                && !own.has_default
                && !own.is_generated
                && !columns.any(|it| it.name.eq_ignore_ascii_case(&own.name))
        };
        let missing = self.columns.iter().filter(is_missing);
        let missing = missing.map(|own| Finding::RequiredColumn(own.name.clone()));
        if self.fact(Fact::TRIGGER).is_some() {
            notes.extend(missing);
        } else {
            problems.extend(missing);
        }
        for fact in &self.facts {
            let mut fact = fact.clone().into_iter();
            let (name, value) = (next(&mut fact), next(&mut fact).unwrap_or_default());
            match name.as_deref() {
                Some(Fact::NOT_STRICT) => problems.push(Finding::NotStrict { sql_mode: value }),
                Some(Fact::DECLARED) => notes.push(Finding::DeclaredConflict(value)),
                Some(Fact::NO_TRANSACTIONS) => {
                    problems.push(Finding::NoTransactions { engine: value });
                }
                _ => {}
            }
        }
    }

    /// There is no unique index on the target.
    fn no_index(&self, create: String) -> Finding {
        Finding::NoUniqueIndex {
            create,
            others: self.indexes.iter().map(Index::shown).collect(),
        }
    }

    /// What is good to know about the indexes.
    fn note(&self, found: &mut Verification, deciding: &[&Index]) {
        if self.is_view() {
            found.notes.push(Finding::IsView);
        }
        let decides = |index: &Index| deciding.iter().any(|it| it.name == index.name);
        if let Some(target) = deciding.first().filter(|it| !it.nulls_are_equal) {
            let keys = target.columns.iter().flatten();
            let nullable = keys.filter(|key| self.column(key).is_some_and(|it| it.is_nullable));
            found
                .notes
                .extend(nullable.cloned().map(Finding::NullableKey));
        }
        let others = self.indexes.iter().filter(|it| !decides(it));
        let others: Vec<Finding> = others
            .map(|it| Finding::OtherUniqueIndex(it.shown()))
            .collect();
        // Where there is none on the target, they are named already.
        let is_named = |it: &Finding| matches!(it, Finding::NoUniqueIndex { .. });
        if !found.problems.iter().any(is_named) {
            found.notes.extend(others);
        }
    }
}
