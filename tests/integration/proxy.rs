//! A link to a server that fails when it is told to.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream, ToSocketAddrs};
use std::sync::{Arc, Mutex};
use std::thread;

/// When the link is cut: where the client sends a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    Never,
    /// Before the server has it.
    Before(&'static str),
    /// After the server has answered, and before the client has the answer.
    After(&'static str),
    /// Not at all: nothing goes through any more, and nobody is told.
    Stall(&'static str),
}

impl Cut {
    fn is_at(self, data: &[u8]) -> bool {
        let (Self::Before(text) | Self::After(text) | Self::Stall(text)) = self else {
            return false;
        };
        // Not in another word; a length may stand before it.
        let begins = |at: usize| at < 2 || !data[at - 2..at].iter().all(u8::is_ascii_alphabetic);
        let mut windows = data.windows(text.len()).enumerate();
        windows.any(|(at, window)| window.eq_ignore_ascii_case(text.as_bytes()) && begins(at))
    }
}

/// A link to a server.
pub(crate) struct Proxy {
    url: String,
    cut: Arc<Mutex<Cut>>,
}

impl Proxy {
    /// A link to the server of a URL such as `mysql://root@127.0.0.1:3306/test`.
    pub(crate) fn to(url: &str) -> Self {
        let (start, rest) = url.split_once('@').expect("a URL with a user");
        let (server, database) = rest.split_once('/').expect("a URL with a database");
        let default = if url.starts_with("mysql") { 3306 } else { 5432 };
        let server = if server.contains(':') {
            server.to_owned()
        } else {
            format!("{server}:{default}")
        };
        let server = server.to_socket_addrs().unwrap().next().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut url = format!("{start}@127.0.0.1:{port}/{database}");
        url.push(if url.contains('?') { '&' } else { '?' });
        // What is encrypted cannot be read, and `mysql_async` goes on by the server's socket.
        url.push_str(if url.starts_with("mysql") {
            "prefer_socket=false"
        } else {
            "sslmode=disable"
        });
        let cut = Arc::new(Mutex::new(Cut::Never));
        let shared = Arc::clone(&cut);
        thread::spawn(move || {
            for client in listener.incoming() {
                let (Ok(client), Ok(server)) = (client, TcpStream::connect(server)) else {
                    return;
                };
                link(&client, &server, &shared);
            }
        });
        Self { url, cut }
    }

    /// Where clients connect to.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Cuts the next link where it sends this.
    pub(crate) fn cut(&self, cut: Cut) {
        *self.cut.lock().unwrap() = cut;
    }

    /// Waits until a link was cut.
    pub(crate) fn until_cut(&self) {
        while *self.cut.lock().unwrap() != Cut::Never {
            thread::sleep(std::time::Duration::from_millis(5));
        }
    }
}

/// Carries data both ways, until it is time to cut.
fn link(client: &TcpStream, server: &TcpStream, cut: &Arc<Mutex<Cut>>) {
    let is_cut = Arc::new(Mutex::new(false));
    let streams = || (client.try_clone().unwrap(), server.try_clone().unwrap());
    let close = |client: &TcpStream, server: &TcpStream| {
        let _ = client.shutdown(Shutdown::Both);
        let _ = server.shutdown(Shutdown::Both);
    };

    let (mut from, mut to) = streams();
    let (plan, flag) = (Arc::clone(cut), Arc::clone(&is_cut));
    thread::spawn(move || {
        let mut data = vec![0; 64 * 1024];
        while let Ok(count @ 1..) = from.read(&mut data) {
            let data = &data[..count];
            let mut plan = plan.lock().unwrap();
            if plan.is_at(data) {
                match std::mem::replace(&mut *plan, Cut::Never) {
                    Cut::Before(_) => break,
                    Cut::Stall(_) => {
                        drop(plan);
                        loop {
                            thread::park();
                        }
                    }
                    Cut::Never | Cut::After(_) => {}
                }
                *flag.lock().unwrap() = true;
            }
            drop(plan);
            if to.write_all(data).is_err() {
                break;
            }
        }
        close(&from, &to);
    });

    let (mut to, mut from) = streams();
    thread::spawn(move || {
        let mut data = vec![0; 64 * 1024];
        while let Ok(count @ 1..) = from.read(&mut data) {
            if *is_cut.lock().unwrap() || to.write_all(&data[..count]).is_err() {
                break;
            }
        }
        close(&to, &from);
    });
}
