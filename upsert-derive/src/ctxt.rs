//! Collects errors, so that all of them are reported at once.

use std::cell::RefCell;
use std::thread;

/// The errors so far. Whoever makes one must call [`Ctxt::finish`].
pub(crate) struct Ctxt {
    // `None` once `finish` has looked at them.
    errors: RefCell<Option<Vec<syn::Error>>>,
}

impl Ctxt {
    pub(crate) fn new() -> Self {
        Self {
            errors: RefCell::new(Some(Vec::new())),
        }
    }

    pub(crate) fn error(&self, error: impl Into<syn::Error>) {
        if let Some(errors) = self.errors.borrow_mut().as_mut() {
            errors.push(error.into());
        }
    }

    /// All the errors as one, if there are any.
    pub(crate) fn finish(self) -> syn::Result<()> {
        let errors = self.errors.take().unwrap_or_default();
        let all = errors.into_iter().reduce(|mut all, error| {
            all.combine(error);
            all
        });
        all.map_or(Ok(()), Err)
    }
}

impl Drop for Ctxt {
    fn drop(&mut self) {
        let forgotten = self.errors.borrow().is_some();
        assert!(
            !forgotten || thread::panicking(),
            "`Ctxt::finish` was not called"
        );
    }
}
