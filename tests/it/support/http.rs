//! A server that answers HTTP as it is told, and keeps what it was asked.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// A request, as it came.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// `GET /path`.
    pub(crate) line: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// What the server answers to a request: a status and a body.
pub(crate) type Answers = dyn Fn(&Request, &str) -> (u16, String) + Send + Sync;

/// A running server; it is gone with the test.
pub(crate) struct Http {
    /// `http://127.0.0.1:PORT`.
    pub(crate) uri: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Http {
    /// `answers` is given each request and the server's own URI.
    pub(crate) fn start(
        answers: impl Fn(&Request, &str) -> (u16, String) + Send + Sync + 'static,
    ) -> Http {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let uri = format!("http://{}", listener.local_addr().expect("an address"));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (kept, own) = (Arc::clone(&requests), uri.clone());
        thread::spawn(move || {
            let answers: &Answers = &answers;
            for stream in listener.incoming().flatten() {
                // A client that goes away is not this server's concern.
                let _ = serve(stream, answers, &own, &kept);
            }
        });
        Http { uri, requests }
    }

    /// What was asked until now.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().expect("requests").clone()
    }

    /// The first lines of what was asked.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.requests().into_iter().map(|request| request.line).collect()
    }
}

fn serve(
    stream: TcpStream,
    answers: &Answers,
    uri: &str,
    kept: &Mutex<Vec<Request>>,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let line = first.rsplit_once(' ').map_or("", |(line, _)| line).to_string();
    let mut headers = Vec::new();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        let Some((name, value)) = header.trim_end().split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_string()));
    }
    let mut request = Request { line, headers, body: Vec::new() };
    let length = request.header("content-length").and_then(|length| length.parse().ok());
    request.body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut request.body)?;
    let (status, body) = answers(&request, uri);
    kept.lock().expect("requests").push(request);
    let head = format!(
        "HTTP/1.1 {status} Told\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    reader.get_mut().write_all(head.as_bytes())
}
