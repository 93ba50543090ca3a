//! Whatever stands in the attributes, there is an expansion or an error with a place.

use std::cell::Cell;
use std::env;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::fuzzing::derive_input;

/// As many cases as the variable `PROPTEST_CASES` says, or these.
const CASES: u32 = 4000;

#[test]
fn any_attributes() {
    let mut config = ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    if env::var_os("PROPTEST_CASES").is_none() {
        config.cases = CASES;
    }
    let cases = config.cases;
    let counts = Cell::new((0, 0));
    let bytes = prop::collection::vec(any::<u8>(), 0..200);
    TestRunner::new(config)
        .run(&bytes, |data| {
            let (refused, accepted) = counts.get();
            counts.set(match derive_input(&data) {
                None => return Err(TestCaseError::reject("no Rust")),
                Some(0) => (refused, accepted + 1),
                Some(_) => (refused + 1, accepted),
            });
            Ok(())
        })
        .unwrap();
    let (refused, accepted) = counts.get();
    let enough = refused > cases / 10 && accepted > cases / 100;
    assert!(enough, "{refused} refused, {accepted} accepted");
}
