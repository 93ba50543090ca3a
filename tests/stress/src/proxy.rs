//! A link to a server that fails when it is told to.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream, ToSocketAddrs};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::Failed;

/// Where the link is cut when the client sends COMMIT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    Never,
    /// Before the server has it.
    Before,
    /// After the server has answered, and before the client has the answer.
    After,
}

/// A link to a server.
pub(crate) struct Proxy {
    url: String,
    cut: Arc<Mutex<Cut>>,
}

impl Proxy {
    /// A link to the server of a URL such as `mysql://root@127.0.0.1:3306/test`.
    pub(crate) fn to(url: &str) -> Result<Self, Failed> {
        let (start, rest) = url.split_once('@').ok_or("the URL has no user")?;
        let (server, database) = rest.split_once('/').ok_or("the URL has no database")?;
        let default = if url.starts_with("mysql") { 3306 } else { 5432 };
        let server = if server.contains(':') {
            server.to_owned()
        } else {
            format!("{server}:{default}")
        };
        let server = server.to_socket_addrs()?.next().ok_or("no such server")?;
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        let mut url = format!("{start}@127.0.0.1:{port}/{database}");
        if !url.starts_with("mysql") {
            // What is encrypted cannot be read.
            url.push_str(if url.contains('?') { "&" } else { "?" });
            url.push_str("sslmode=disable");
        }
        let cut = Arc::new(Mutex::new(Cut::Never));
        let shared = Arc::clone(&cut);
        thread::spawn(move || {
            for client in listener.incoming() {
                // Without either of them the client sees a connection that is closed.
                if let (Ok(client), Ok(server)) = (client, TcpStream::connect(server)) {
                    let _ = link(&client, &server, &shared);
                }
            }
        });
        Ok(Self { url, cut })
    }

    /// Where clients connect to.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Cuts the link at the next COMMIT.
    pub(crate) fn cut(&self, cut: Cut) {
        *locked(&self.cut) = cut;
    }

    /// Has the cut not been made?
    pub(crate) fn is_waiting(&self) -> bool {
        *locked(&self.cut) != Cut::Never
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn is_commit(data: &[u8]) -> bool {
    // Not `@@autocommit`; a length may stand before it.
    let begins = |at: usize| at < 2 || !data[at - 2..at].iter().all(u8::is_ascii_alphabetic);
    let mut windows = data.windows(6).enumerate();
    windows.any(|(at, window)| window.eq_ignore_ascii_case(b"COMMIT") && begins(at))
}

fn close(client: &TcpStream, server: &TcpStream) {
    let _ = client.shutdown(Shutdown::Both);
    let _ = server.shutdown(Shutdown::Both);
}

/// Carries data both ways, until it is time to cut.
fn link(client: &TcpStream, server: &TcpStream, cut: &Arc<Mutex<Cut>>) -> io::Result<()> {
    // Small packets go at once, as they do without the proxy.
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let is_cut = Arc::new(Mutex::new(false));

    let (mut from, mut to) = (client.try_clone()?, server.try_clone()?);
    let (plan, flag) = (Arc::clone(cut), Arc::clone(&is_cut));
    thread::spawn(move || {
        let mut data = vec![0; 64 * 1024];
        while let Ok(count @ 1..) = from.read(&mut data) {
            let data = &data[..count];
            let mut plan = locked(&plan);
            if *plan != Cut::Never && is_commit(data) {
                if *plan == Cut::Before {
                    *plan = Cut::Never;
                    break;
                }
                *plan = Cut::Never;
                *locked(&flag) = true;
            }
            drop(plan);
            if to.write_all(data).is_err() {
                break;
            }
        }
        close(&from, &to);
    });

    let (mut to, mut from) = (client.try_clone()?, server.try_clone()?);
    thread::spawn(move || {
        let mut data = vec![0; 64 * 1024];
        while let Ok(count @ 1..) = from.read(&mut data) {
            if *locked(&is_cut) || to.write_all(&data[..count]).is_err() {
                break;
            }
        }
        close(&to, &from);
    });
    Ok(())
}
