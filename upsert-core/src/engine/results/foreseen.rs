//! Rows that are looked up before they are written, by a statement that tells nothing.

use super::{Results, Sent, input_row, unreadable};
use crate::batch::ErasedBatch;
use crate::dialect::{Condition, ConflictClause, Outcomes, TypeKind};
use crate::engine::probe::Probe;
use crate::engine::{Chunk, Stop};
use crate::error::Error;
use crate::outcome::Action;
use crate::session::{LoadSession, LoadsFrom};
use crate::sql::excluded_sql;

impl<DB, T, E, U> Results<'_, '_, '_, DB, T, E, U>
where
    DB: Outcomes,
    T: ErasedBatch<DB> + ?Sized,
{
    /// Looks at the rows that exist, and sends a statement that does to them what
    /// it has to.
    pub(super) async fn write_foreseen<S>(
        &mut self,
        session: &mut S,
        chunk: Chunk<'_>,
        conflict: &ConflictClause<'_, DB>,
    ) -> Sent<()>
    where
        S: LoadSession<Backend = DB>,
        E: LoadsFrom<S, U>,
    {
        let rows = chunk.rows;
        if !self.wanted.action {
            self.call.execute_with(session, chunk, conflict).await?;
            return Ok(());
        }
        if rows.len() > 1 && self.is_hard_to_foresee(conflict)? {
            return Err(Stop::OneByOne);
        }
        for row in rows {
            self.slots[*row].action = Action::Inserted;
        }
        match self.foresee(session, chunk, conflict).await {
            // An expression may not mean the same, or nothing, beside other names.
            Err(
                Stop::Row { .. } | Stop::Failed(Error::Statement { .. } | Error::Connection(_)),
            ) if rows.len() > 1 => {
                return Err(Stop::OneByOne);
            }
            foreseen => foreseen?,
        }
        if self.wanted.old {
            let rows = rows.iter().copied();
            let existing: Vec<usize> = rows
                .filter(|row| self.slots[*row].action != Action::Inserted)
                .collect();
            self.read_before(session, chunk.part(&existing)).await?;
        }
        let written = self.call.execute_with(session, chunk, conflict).await?;
        let slots = rows.iter().map(|row| &self.slots[*row]);
        let foreseen = slots.filter(|slot| slot.action.is_written()).count();
        if written == foreseen {
            return Ok(());
        }
        // A trigger, or a guard that is not the same twice. Of one row, the count
        // tells.
        let [row] = rows else {
            return Err(Stop::Repeats);
        };
        self.slots[*row].action = if written > 0 {
            Action::Updated
        } else {
            Action::Skipped
        };
        Ok(())
    }

    /// Has the guard an expression that computes with numbers? The column's type
    /// may make SQLite compute otherwise than with what is bound.
    pub(super) fn is_hard_to_foresee(&self, conflict: &ConflictClause<'_, DB>) -> Sent<bool> {
        for condition in &conflict.conditions {
            let Condition::Expression(expression) = condition else {
                continue;
            };
            let sql = expression.sql()?;
            for column in &self.call.model.columns {
                let kind = TypeKind::of((column.sql_type)());
                if kind == TypeKind::Number && sql.contains(&excluded_sql::<DB>(column.name)?) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Looks up what the clause does to the rows that exist.
    pub(super) async fn foresee<S>(
        &mut self,
        session: &mut S,
        chunk: Chunk<'_>,
        conflict: &ConflictClause<'_, DB>,
    ) -> Sent<()>
    where
        S: LoadSession<Backend = DB>,
        E: LoadsFrom<S, U>,
    {
        let has_guards = conflict.keeps_rows() && !conflict.assignments.is_empty();
        let effect = has_guards.then_some(conflict);
        let mut numbers = self.look_up(session, chunk, effect).await;
        if numbers.is_err() && has_guards && chunk.rows.len() == 1 {
            numbers = self.look_up(session, chunk, None).await;
        }
        for number in numbers?.split_whitespace() {
            let number = number.parse().map_err(|_| unreadable())?;
            let (row, effect) = input_row(chunk.rows, number)?;
            self.slots[row].action = match effect {
                1 => Action::Skipped,
                2 => Action::Unchanged,
                _ if conflict.assignments.is_empty() => Action::Skipped,
                _ => Action::Updated,
            };
        }
        Ok(())
    }

    /// The numbers of the rows that exist.
    pub(super) async fn look_up<S>(
        &mut self,
        session: &mut S,
        chunk: Chunk<'_>,
        effect: Option<&ConflictClause<'_, DB>>,
    ) -> Sent<String>
    where
        S: LoadSession<Backend = DB>,
        E: LoadsFrom<S, U>,
    {
        let call = self.call;
        let matching = self.matching(session).await?;
        let probe = Probe::<DB, T, E> {
            rows: if effect.is_some() {
                // What the clause does may depend on every column.
                call.inserted(chunk)
            } else {
                call.keys_of(chunk, &matching)
            },
            table: &call.model.table,
            matching: &matching,
            effect,
            selected: None,
            sees_committed: true,
            recurs: chunk.recurs,
        };
        let numbers = session.load_text(&probe).await;
        let numbers = call.checked(session, numbers, chunk.rows).await?;
        Ok(numbers.unwrap_or_default())
    }
}
