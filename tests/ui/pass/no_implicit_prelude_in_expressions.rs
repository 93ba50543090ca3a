// `table!` itself needs the prelude.
mod schema {
    diesel::table! {
        products (id) {
            id -> Integer,
            name -> Text,
            note -> Nullable<Text>,
            level -> Integer,
            highest -> Integer,
            deleted -> Bool,
            seen -> Timestamp,
        }
    }

    diesel::define_sql_function! {
        fn lower(text: diesel::sql_types::Text) -> diesel::sql_types::Text;
    }
}

#[no_implicit_prelude]
mod models {
    use super::schema::{self, lower};

    #[derive(::upsert_core::Upsertable)]
    #[diesel(table_name = schema::products)]
    #[upsert(set(deleted = false), touch(seen = ::diesel::dsl::now))]
    #[upsert(update_if = deleted.eq(true).or(name.ne(excluded(name))))]
    #[upsert(not_older_by = level, skip_unchanged)]
    #[upsert(target = lower(name), target_where = level.gt(-1).and(deleted.eq(false)))]
    #[upsert(targets(by_id = id, by_both = (id, name)))]
    pub struct Product<'a> {
        id: i32,
        #[conflict_key]
        #[on_conflict(update)]
        name: &'a str,
        #[on_conflict(fill)]
        note: ::std::option::Option<::std::string::String>,
        #[on_conflict(max)]
        level: i32,
        #[on_conflict(set = highest + excluded(level))]
        #[on_insert(default = self.level + 1)]
        highest: ::std::option::Option<i32>,
    }

    #[derive(::upsert_core::Upsertable)]
    #[diesel(table_name = schema::products)]
    #[upsert(constraint = "products_key", newer_by = level)]
    pub struct Whole<T> {
        #[conflict_key]
        id: i32,
        #[diesel(embed)]
        name: Name,
        #[on_conflict(set = level + 1)]
        level: T,
    }

    #[derive(::upsert_core::Upsertable)]
    #[diesel(table_name = schema::products)]
    #[upsert(embedded)]
    pub struct Name {
        #[on_conflict(set = lower(excluded(name)))]
        name: ::std::string::String,
    }
}

fn main() {
    use diesel::sqlite::Sqlite;
    use models::{Product, Whole};
    use upsert_core::{BindFields, Upsertable};

    fn is_model<M: Upsertable>() {}
    fn is_model_on_sqlite<M: Upsertable + BindFields<Sqlite>>() {}
    is_model_on_sqlite::<Product<'_>>();
    is_model::<Whole<i32>>();
    let _ = (Product::by_id(), Product::by_both());
}
