//! What `docs/` says of the tests is true.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The files below a directory.
fn files(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(self::files(&path));
        } else {
            files.push(path);
        }
    }
    files
}

/// Every hazard names a test that there is, or says that there is none.
#[test]
fn hazards_name_tests_that_there_are() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut functions = BTreeSet::new();
    for directory in ["tests", "upsert-core/src", "upsert-derive/src"] {
        for file in files(&root.join(directory)) {
            if file.extension().is_some_and(|it| it == "rs") {
                let text = fs::read_to_string(file).unwrap();
                let names = text
                    .split("fn ")
                    .skip(1)
                    .filter_map(|it| it.split('(').next());
                functions.extend(names.map(str::to_owned));
            }
        }
    }
    let page = fs::read_to_string(root.join("docs/hazards.md")).unwrap();
    let rows = page.lines().filter(|line| {
        let mut start = line.trim_start_matches("| ").chars();
        line.starts_with("| ")
            && start.next().is_some_and(|it| it.is_ascii_uppercase())
            && start.next().is_some_and(|it| it.is_ascii_digit())
    });
    let mut hazards = 0;
    for row in rows {
        hazards += 1;
        let tests = row.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        if tests == "none" {
            continue;
        }
        for test in tests.split('`').skip(1).step_by(2) {
            let is_there = if test.contains("::") {
                functions.contains(test.rsplit("::").next().unwrap())
            } else {
                let case = test
                    .trim_start_matches("ui ")
                    .trim_start_matches("tests/ui/");
                let case = root.join("tests/ui").join(case);
                let is_case = case.exists() || case.with_extension("rs").exists();
                is_case || root.join(test).exists()
            };
            assert!(
                is_there,
                "no test `{test}`, of which docs/hazards.md says:\n{row}"
            );
        }
    }
    assert!(hazards > 140, "{hazards} hazards");
}
