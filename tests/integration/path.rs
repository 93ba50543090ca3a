//! The path that rows take to the database: all end in the same table.

use std::borrow::Borrow;
use std::env;

use upsert_core::{Strategy, Upsert, Upsertable};

/// Sends the rows of a call on the path that `UPSERT_PATH` names, for a run of the same tests
/// on each: `values`, `rows` (a statement for each row), `unnest` or `copy`. Without it the
/// crate chooses.
pub(crate) fn on_path<B: Borrow<R>, R: Upsertable, M>(
    call: Upsert<'_, B, R, (), M>,
) -> Upsert<'_, B, R, (), M> {
    match env::var("UPSERT_PATH").as_deref() {
        Err(_) => call,
        Ok("values") => call.strategy(Strategy::Values),
        Ok("rows") => call.chunk_size(1),
        Ok("unnest") => call.strategy(Strategy::Unnest),
        Ok("copy") => call.strategy(Strategy::Copy),
        Ok(path) => panic!("UPSERT_PATH is {path}, but has to be values, rows, unnest or copy"),
    }
}
