//! Rows that are sent by COPY.

use super::{Call, Chunk, Stop};
use crate::batch::ErasedBatch;
use crate::dialect::{ConflictClause, Dialect, NoTable};
use crate::error::{refuse, refuse_because};
use crate::session::Session;

impl<DB, T> Call<'_, '_, DB, T>
where
    DB: Dialect,
    T: ErasedBatch<DB> + ?Sized,
{
    /// Sends a chunk into a staging table, writes the rows from there, and returns the
    /// database's row count.
    ///
    /// There is a transaction: after an error nothing is left of the staging table.
    pub(super) async fn copy<S>(
        &self,
        session: &mut S,
        chunk: Chunk<'_>,
        conflict: &ConflictClause<'_, DB>,
    ) -> Result<usize, Stop>
    where
        S: Session<Backend = DB>,
    {
        self.load(session, chunk)?;
        let affected = session.execute(&self.statement(chunk, conflict)).await;
        self.checked(session, affected, chunk.rows).await
    }

    /// Sends a chunk into a staging table.
    fn load<S>(&self, session: &mut S, chunk: Chunk<'_>) -> Result<(), Stop>
    where
        S: Session<Backend = DB>,
    {
        let stop = |source| self.stop(DB::fault(&source), source, chunk.rows);
        let first = self.inserted(chunk.part(&chunk.rows[..1]));
        let copier = match session.copier(&first, chunk.supplied) {
            Ok(copier) => copier,
            Err(NoTable::Refused(source)) if self.strategy.is_some() => {
                return Err(stop(refuse_because(
                    "the staging table `__upsert_copy` cannot be made, and the database's own \
                     message is this error's source: leave out `strategy(Strategy::Copy)`, or write \
                     `Strategy::Unnest`",
                    source,
                )));
            }
            Err(NoTable::Refused(_)) => return Err(Stop::NoCopy),
            Err(NoTable::Failed(source)) => return Err(stop(source)),
        };
        let columns: Vec<usize> = chunk.supplied.inserted().iter().collect();
        let push = |row: usize, data: &mut Vec<u8>| {
            let row = chunk.rows[row];
            let mut columns = columns.iter();
            columns.try_for_each(|column| self.batch.push_copy(row, *column, data))
        };
        let taken = copier.copy(chunk.rows.len(), columns.len(), &push);
        let taken = taken.map_err(stop)?;
        if taken != chunk.rows.len() {
            let rows = chunk.rows.len();
            return Err(stop(refuse(format!(
                "COPY has taken {taken} of {rows} rows"
            ))));
        }
        Ok(())
    }
}
