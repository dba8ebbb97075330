//! A small HTTP server for faults: it answers each request as a script says, and remembers them all.
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A request as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// Path and query.
    pub(crate) target: String,
    /// Names in lower case.
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

/// What happens to a request.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// It is answered.
    Answer { status: u16, headers: Vec<(String, String)>, body: Vec<u8> },
    /// It is answered, but the connection closes in the middle of the body.
    Cut { status: u16, body: Vec<u8> },
    /// It is taken and never answered: the connection closes.
    Lost,
    /// It is taken and never answered: the connection stays.
    Hang,
    /// The first if this text stands in the request's path or query, else the second.
    If(&'static str, Box<(Self, Self)>),
}

impl Reply {
    /// An answer with the headers every success has.
    pub(crate) fn ok(status: u16) -> Self {
        Self::Answer { status, headers: vec![("ETag".to_owned(), "\"0x1\"".to_owned())], body: Vec::new() }
    }

    /// An answer with an error code.
    pub(crate) fn error(status: u16, code: &str) -> Self {
        Self::Answer { status, headers: vec![("x-ms-error-code".to_owned(), code.to_owned())], body: Vec::new() }
    }

    /// The same with one more header.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        if let Self::Answer { headers, .. } = &mut self {
            headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    /// The same with a body.
    pub(crate) fn with_body(mut self, text: &str) -> Self {
        if let Self::Answer { body, .. } = &mut self {
            text.as_bytes().clone_into(body);
        }
        self
    }
}

/// A running server.
pub(crate) struct MockHttp {
    port: u16,
    requests: Arc<Mutex<Vec<Request>>>,
    task: JoinHandle<()>,
}

impl MockHttp {
    /// Answers the n-th request with the n-th reply, all later ones with the last.
    pub(crate) async fn start(script: Vec<Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        let task = tokio::spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else { return };
                tokio::spawn(serve(stream, script.clone(), Arc::clone(&seen)));
            }
        });
        Self { port, requests, task }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What arrived so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

impl Drop for MockHttp {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut stream: TcpStream, script: Vec<Reply>, seen: Arc<Mutex<Vec<Request>>>) {
    let Some(request) = read(&mut stream).await else { return };
    let (head, target) = (request.method == "HEAD", request.target.clone());
    let number = {
        let mut seen = seen.lock().unwrap();
        seen.push(request);
        seen.len() - 1
    };
    let mut reply = script.get(number).or(script.last()).cloned();
    if let Some(Reply::If(text, replies)) = reply {
        reply = Some(if target.contains(text) { replies.0 } else { replies.1 });
    }
    let (status, headers, body, cut) = match reply {
        Some(Reply::Answer { status, headers, body }) => (status, headers, body, false),
        Some(Reply::Cut { status, body }) => (status, Vec::new(), body, true),
        Some(Reply::Lost | Reply::If(..)) | None => return,
        Some(Reply::Hang) => {
            // ends when the other side gives up
            let _ = stream.read(&mut [0; 1]).await;
            return;
        }
    };
    let mut text = format!("HTTP/1.1 {status} mock\r\nConnection: close\r\nx-ms-request-id: mock-{number}\r\n");
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-length")) {
        write!(text, "Content-Length: {}\r\n", body.len()).unwrap();
    }
    for (name, value) in headers {
        write!(text, "{name}: {value}\r\n").unwrap();
    }
    text.push_str("\r\n");
    let sent = if cut { &body[..body.len() / 2] } else { &body[..] };
    let _ = stream.write_all(text.as_bytes()).await;
    if !head {
        let _ = stream.write_all(sent).await;
    }
    let _ = stream.shutdown().await;
}

async fn read(stream: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let text = String::from_utf8(bytes[..end].to_vec()).ok()?;
    let mut lines = text.split("\r\n");
    let mut first = lines.next()?.split(' ');
    let (method, target) = (first.next()?.to_owned(), first.next()?.to_owned());
    let header = |line: &str| line.split_once(':').map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()));
    let headers: HashMap<String, String> = lines.filter_map(header).collect();
    let length: usize = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = bytes.split_off(end + 4);
    while body.len() < length {
        if stream.read_buf(&mut body).await.ok()? == 0 {
            return None;
        }
    }
    Some(Request { method, target, headers, body })
}
