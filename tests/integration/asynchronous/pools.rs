//! Connections, and pools of them.

use std::ops::DerefMut;

use diesel::{ConnectionError, ConnectionResult};
use diesel_async::AsyncConnection;
use diesel_async::pooled_connection::{AsyncDieselConnectionManager, ManagerConfig, bb8, deadpool};
use futures_util::FutureExt;

/// Connects to the database at `url`.
pub(super) async fn connect<C: AsyncConnection>(url: &str) -> C {
    establish(url).await.unwrap()
}

async fn establish<C: AsyncConnection>(url: &str) -> ConnectionResult<C> {
    let mut conn = C::establish(url).await?;
    // A path, of SQLite.
    if !url.contains("://") {
        conn.batch_execute("PRAGMA busy_timeout = 30000; PRAGMA synchronous = OFF")
            .await
            .map_err(ConnectionError::CouldntSetupConfiguration)?;
    }
    Ok(conn)
}

/// A pool that connections are taken from.
pub(super) trait Get<C> {
    async fn get_conn(&self) -> impl DerefMut<Target = C> + Send;
}

/// A connection that there are pools of.
pub(super) trait Pooled: AsyncConnection {
    type Deadpool: Get<Self>;
    type Bb8: Get<Self>;

    fn deadpool(url: &str, size: usize) -> Self::Deadpool;
    async fn bb8(url: &str, size: u32) -> Self::Bb8;
}

macro_rules! pooled {
    ($conn:ty) => {
        impl Pooled for $conn {
            type Deadpool = deadpool::Pool<$conn>;
            type Bb8 = bb8::Pool<$conn>;

            fn deadpool(url: &str, size: usize) -> Self::Deadpool {
                let pool = deadpool::Pool::builder(manager(url)).max_size(size);
                pool.build().unwrap()
            }

            async fn bb8(url: &str, size: u32) -> Self::Bb8 {
                let pool = bb8::Pool::builder().max_size(size);
                pool.build(manager(url)).await.unwrap()
            }
        }

        impl Get<$conn> for deadpool::Pool<$conn> {
            async fn get_conn(&self) -> impl DerefMut<Target = $conn> + Send {
                self.get().await.unwrap()
            }
        }

        impl Get<$conn> for bb8::Pool<$conn> {
            async fn get_conn(&self) -> impl DerefMut<Target = $conn> + Send {
                self.get().await.unwrap()
            }
        }
    };
}

fn manager<C: AsyncConnection + 'static>(url: &str) -> AsyncDieselConnectionManager<C> {
    let mut config = ManagerConfig::default();
    config.custom_setup = Box::new(|url| establish(url).boxed());
    AsyncDieselConnectionManager::new_with_config(url, config)
}

pooled!(diesel_async::sync_connection_wrapper::SyncConnectionWrapper<diesel::SqliteConnection>);
#[cfg(feature = "postgres")]
pooled!(diesel_async::AsyncPgConnection);
#[cfg(feature = "mysql")]
pooled!(diesel_async::AsyncMysqlConnection);
