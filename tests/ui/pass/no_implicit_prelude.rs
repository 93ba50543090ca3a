// `table!` itself needs the prelude.
mod schema {
    diesel::table! {
        products (id) {
            id -> Integer,
            name -> Text,
            note -> Nullable<Text>,
            level -> Integer,
        }
    }
}

#[no_implicit_prelude]
mod models {
    use super::schema;

    #[derive(::upsert_core::Upsertable)]
    #[diesel(table_name = schema::products)]
    #[upsert(update_all)]
    pub struct Product<'a> {
        id: i32,
        name: &'a str,
        note: ::std::option::Option<::std::string::String>,
        level: ::std::option::Option<i32>,
    }

    #[derive(::upsert_core::Upsertable)]
    #[diesel(table_name = schema::products)]
    pub struct Both<T> {
        #[conflict_key]
        id: i32,
        #[diesel(embed)]
        name: Name,
        #[diesel(serialize_as = ::std::string::String)]
        #[on_conflict(update)]
        note: T,
        #[diesel(skip_insertion)]
        _level: (),
    }

    #[derive(::upsert_core::Upsertable)]
    #[diesel(table_name = schema::products)]
    #[upsert(embedded)]
    pub struct Name {
        name: ::std::string::String,
    }

    #[derive(::upsert_core::Upsertable)]
    #[diesel(table_name = schema::products)]
    pub struct Cows<'a, 'b> {
        id: i32,
        #[on_conflict(update)]
        name: ::std::borrow::Cow<'a, str>,
        #[on_conflict(update)]
        note: ::std::borrow::Cow<'b, str>,
    }
}

fn main() {
    use models::{Both, Cows, Product};

    fn is_model<M: upsert_core::Upsertable + upsert_core::BindFields<diesel::sqlite::Sqlite>>() {}
    is_model::<Product<'_>>();
    is_model::<Both<String>>();
    is_model::<Cows<'_, '_>>();
}
