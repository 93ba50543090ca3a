use upsert_core::Upsertable;

#[derive(Upsertable)]
#[upsert(update_all, update_if = version.lt(self.version))]
struct Product {
    id: i32,
    version: i32,
}

fn main() {}
