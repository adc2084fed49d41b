//! A proxy between the client and the sandbox.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// The path and form of a request, and the body of the reply.
pub(crate) type Exchange = (String, String, String);

/// A proxy that forwards requests to the sandbox and records the exchanges.
#[derive(Clone)]
pub(crate) struct RecordingProxy {
    sandbox: String,
    exchanges: Arc<Mutex<Vec<Exchange>>>,
}

impl RecordingProxy {
    pub(crate) async fn start(sandbox: String) -> (Self, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let proxy = Self { sandbox, exchanges: Arc::default() };
        let forwarding = proxy.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(forwarding.clone().forward(stream));
            }
        });
        (proxy, address)
    }

    async fn forward(self, stream: TcpStream) {
        let mut stream = BufReader::new(stream);
        let (mut first, mut length) = (String::new(), 0);
        stream.read_line(&mut first).await.unwrap();
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).await.unwrap();
            match line.trim().to_ascii_lowercase().split_once(": ") {
                Some(("content-length", given)) => length = given.parse().unwrap(),
                Some(_) => {}
                None => break,
            }
        }
        let mut form = vec![0; length];
        stream.read_exact(&mut form).await.unwrap();
        let (method, path) = first.trim().trim_end_matches(" HTTP/1.1").split_once(' ').unwrap();
        assert_eq!(method, "POST", "with GET, access logs would contain the token");
        let http = local::http_client().unwrap();
        let reply = http
            .post(format!("{}{path}", self.sandbox))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form.clone());
        let body = reply.send().await.unwrap().text().await.unwrap();
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: text/xml\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let form = String::from_utf8(form).unwrap();
        self.exchanges.lock().unwrap().push((path.to_owned(), form, body.clone()));
        stream.write_all((head + &body).as_bytes()).await.unwrap();
    }

    /// Takes the only exchange since the last call.
    pub(crate) fn take_exchange(&self) -> Exchange {
        let exchanges = std::mem::take(&mut *self.exchanges.lock().unwrap());
        let [exchange] = <[Exchange; 1]>::try_from(exchanges).unwrap();
        exchange
    }
}
