//! Says which tests a run leaves out, where all can see it.

fn main() {
    // A test runner that asks for the list of tests gets an empty one.
    if std::env::args().any(|argument| argument == "--list") {
        return;
    }
    let mut left_out = Vec::new();
    if !cfg!(feature = "postgres") {
        left_out.push("PostgreSQL");
    }
    if !cfg!(feature = "mysql") {
        left_out.push("MySQL and MariaDB");
    }
    if !left_out.is_empty() {
        println!(
            "left out: the tests on {}; `bin/test` starts servers and runs them all",
            left_out.join(", and on ")
        );
    }
}
