use upsert_core::Upsertable;

#[derive(Upsertable)]
#[diesel(tabel_name = products, check_for_backends(Pg))]
struct Product {
    id: i32,
    #[diesel(colum_name = title)]
    #[on_conflict(update)]
    name: String,
}

fn main() {}
