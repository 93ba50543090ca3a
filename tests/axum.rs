//! Sends requests to `examples/axum.rs`.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use diesel::prelude::*;
use http_body_util::BodyExt;
use tower::ServiceExt;

#[path = "../examples/axum.rs"]
mod example;

async fn put(pool: &example::Pool, body: &str) -> (StatusCode, String) {
    let request = Request::put("/products")
        .header("content-type", "application/json")
        .body(Body::from(body.to_owned()))
        .unwrap();
    let response = example::router(pool.clone())
        .oneshot(request)
        .await
        .unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

fn table(path: &str) -> Vec<(String, String, i32)> {
    let mut conn = SqliteConnection::establish(path).unwrap();
    example::products::table
        .order(example::products::sku)
        .load(&mut conn)
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_upserted() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("test.sqlite3");
    let path = path.to_str().unwrap();
    let pool = example::connect(path).await.unwrap();

    let first = r#"[{"sku": "a", "name": "Apple", "price": 120}, {"sku": "b", "name": "Bread", "price": 300}]"#;
    let (status, body) = put(&pool, first).await;
    assert_eq!(
        (status, &*body),
        (
            StatusCode::OK,
            r#"{"inserted":2,"updated":0,"unchanged":0}"#
        )
    );

    let second = r#"[{"sku": "b", "name": "Bread", "price": 310}, {"sku": "a", "name": "Apple", "price": 120}]"#;
    let (status, body) = put(&pool, second).await;
    assert_eq!(
        (status, &*body),
        (
            StatusCode::OK,
            r#"{"inserted":0,"updated":1,"unchanged":1}"#
        )
    );

    let expected = [("a", "Apple", 120), ("b", "Bread", 310)]
        .map(|(sku, name, price)| (sku.to_owned(), name.to_owned(), price));
    assert_eq!(table(path), expected);

    let (status, body) = put(&pool, "[]").await;
    assert_eq!(
        (status, &*body),
        (
            StatusCode::OK,
            r#"{"inserted":0,"updated":0,"unchanged":0}"#
        )
    );
    assert_eq!(table(path), expected);
}

#[tokio::test]
async fn a_request_that_is_not_rows_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("test.sqlite3");
    let path = path.to_str().unwrap();
    let pool = example::connect(path).await.unwrap();

    let (status, _) = put(&pool, r#"[{"sku": "a"}]"#).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(table(path), []);
}
