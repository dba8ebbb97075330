//! A blob service in memory with a gate: it takes writes to blobs, and answers them only when it is told to.
//!
//! It knows block blobs, conditions, listings and containers, as much as a drive of block blobs needs, and checks no signature. Point the
//! emulator's address at it.
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use percent_encoding::percent_decode_str;

/// Longer than anything here takes; a test that waits so long has failed.
const PATIENCE: Duration = Duration::from_mins(1);

/// A running service. It ends with the test's process.
pub(crate) struct BlobService {
    port: u16,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    containers: Vec<String>,
    blobs: BTreeMap<String, Blob>,
    staged: HashMap<(String, String), Vec<u8>>,
    versions: u64,
    requests: usize,
    writes: usize,
    waiting: usize,
    shut: bool,
    status: Option<(u16, &'static str)>,
    /// How many requests more are answered with it; all, if none is said.
    left: Option<usize>,
}

struct Blob {
    etag: String,
    bytes: Vec<u8>,
}

struct Call {
    method: String,
    path: String,
    query: HashMap<String, String>,
    headers: HashMap<String, String>,
    body: Vec<u8>,
}

type Reply = (u16, &'static str, Vec<(&'static str, String)>, String);

impl BlobService {
    /// Starts one; with the gate shut, writes to blobs wait.
    pub(crate) fn start(shut: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::<Shared>::default();
        shared.state.lock().unwrap().shut = shut;
        let served = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let served = Arc::clone(&served);
                std::thread::spawn(move || served.serve(&stream));
            }
        });
        Self { port, shared }
    }

    /// From now on every new request is answered so; those at the gate are not.
    pub(crate) fn answer_all(&self, status: u16, code: &'static str) {
        self.shared.state.lock().unwrap().status = Some((status, code));
    }

    /// So many requests are answered so, those after them are served.
    pub(crate) fn answer_next(&self, count: usize, status: u16, code: &'static str) {
        let mut state = self.shared.state.lock().unwrap();
        (state.status, state.left) = (Some((status, code)), Some(count));
    }

    /// From now on requests are served again.
    pub(crate) fn recover(&self) {
        self.shared.state.lock().unwrap().status = None;
    }

    /// Waits until so many writes wait at the gate.
    pub(crate) fn wait_for_writes(&self, count: usize) {
        let state = self.shared.state.lock().unwrap();
        let (state, _) = self.shared.changed.wait_timeout_while(state, PATIENCE, |state| state.waiting < count).unwrap();
        assert!(state.waiting >= count, "only {} writes came", state.waiting);
    }

    /// Lets every write pass.
    pub(crate) fn open(&self) {
        self.shared.state.lock().unwrap().shut = false;
        self.shared.changed.notify_all();
    }

    /// The visible blobs of a container, by name.
    pub(crate) fn blobs(&self, container: &str) -> BTreeMap<String, Vec<u8>> {
        let state = self.shared.state.lock().unwrap();
        let inside = |name: &str| name.strip_prefix(container)?.strip_prefix('/').map(str::to_owned);
        state.blobs.iter().filter_map(|(name, blob)| Some((inside(name)?, blob.bytes.clone()))).collect()
    }

    /// Requests so far.
    pub(crate) fn requests(&self) -> usize {
        self.shared.state.lock().unwrap().requests
    }

    /// Writing requests so far: containers and blobs.
    pub(crate) fn writes(&self) -> usize {
        self.shared.state.lock().unwrap().writes
    }

    /// What a program needs in its environment to take this for the emulator.
    pub(crate) fn settings(&self) -> [(&'static str, String); 2] {
        [
            ("AZURE_STORAGE_USE_EMULATOR", "true".to_owned()),
            ("AZURITE_BLOB_STORAGE_URL", format!("http://127.0.0.1:{}", self.port)),
        ]
    }
}

impl Shared {
    fn serve(&self, stream: &TcpStream) -> Option<()> {
        let call = read(stream)?;
        let (status, code, headers, body) = self.answer(&call);
        let mut text = format!("HTTP/1.1 {status} x\r\nConnection: close\r\nx-ms-request-id: here\r\n");
        if !code.is_empty() {
            write!(text, "x-ms-error-code: {code}\r\n").unwrap();
        }
        for (name, value) in headers {
            write!(text, "{name}: {value}\r\n").unwrap();
        }
        if !text.contains("Content-Length") {
            write!(text, "Content-Length: {}\r\n", body.len()).unwrap();
        }
        let mut stream = stream;
        stream.write_all(format!("{text}\r\n{body}").as_bytes()).ok()
    }

    fn answer(&self, call: &Call) -> Reply {
        let mut state = self.state.lock().unwrap();
        state.requests += 1;
        if state.left == Some(0) {
            (state.status, state.left) = (None, None);
        }
        if let Some((status, code)) = state.status {
            state.left = state.left.map(|left| left - 1);
            return (status, code, Vec::new(), String::new());
        }
        let container = call.path.split('/').next().unwrap().to_owned();
        let blob = call.path.contains('/');
        if call.method == "PUT" {
            state.writes += 1;
        }
        // whose a session is, is settled before anything is stored
        let identity = call.path.ends_with("_session.json");
        if call.method == "PUT" && blob && !identity {
            state.waiting += 1;
            self.changed.notify_all();
            state = self.changed.wait_while(state, |state| state.shut).unwrap();
            state.waiting -= 1;
        }
        if call.method != "PUT" && !state.containers.contains(&container) {
            return (404, "ContainerNotFound", Vec::new(), String::new());
        }
        match (call.method.as_str(), blob) {
            ("PUT", false) if state.containers.contains(&container) => (409, "ContainerAlreadyExists", Vec::new(), String::new()),
            ("PUT", false) => {
                state.containers.push(container);
                (201, "", Vec::new(), String::new())
            }
            ("GET", false) => (200, "", Vec::new(), state.listing(&container)),
            ("GET", true) if call.query.contains_key("comp") => state.blocks(call),
            ("GET", true) => state.content(call),
            ("PUT", true) if call.query.get("comp").is_some_and(|comp| comp == "lease") => {
                let taken = call.headers["x-ms-lease-action"] == "acquire";
                (if taken { 201 } else { 200 }, "", Vec::new(), String::new())
            }
            ("HEAD", false) => (200, "", Vec::new(), String::new()),
            ("PUT", true) => state.put(call),
            ("HEAD", true) => match state.blobs.get(&call.path) {
                Some(blob) => {
                    let length = ("Content-Length", blob.bytes.len().to_string());
                    (
                        200,
                        "",
                        vec![("ETag", blob.etag.clone()), ("x-ms-blob-type", "BlockBlob".to_owned()), length],
                        String::new(),
                    )
                }
                None => (404, "BlobNotFound", Vec::new(), String::new()),
            },
            _ => (400, "UnsupportedHttpVerb", Vec::new(), String::new()),
        }
    }
}

impl State {
    fn put(&mut self, call: &Call) -> Reply {
        let bytes = match call.query.get("comp").map(String::as_str) {
            Some("block") => {
                self.staged.insert((call.path.clone(), call.query["blockid"].clone()), call.body.clone());
                return (201, "", Vec::new(), String::new());
            }
            Some("blocklist") => {
                let list = std::str::from_utf8(&call.body).unwrap();
                let ids = list.split("<Latest>").skip(1).map(|part| part.split('<').next().unwrap().to_owned());
                ids.flat_map(|id| self.staged[&(call.path.clone(), id)].clone()).collect()
            }
            _ => call.body.clone(),
        };
        let seen = self.blobs.get(&call.path).map(|blob| blob.etag.as_str());
        if call.headers.contains_key("if-none-match") && seen.is_some() {
            return (409, "BlobAlreadyExists", Vec::new(), String::new());
        }
        if call.headers.get("if-match").is_some_and(|etag| Some(etag.as_str()) != seen) {
            return (412, "ConditionNotMet", Vec::new(), String::new());
        }
        self.versions += 1;
        let etag = format!("\"0x{:X}\"", self.versions);
        self.blobs.insert(call.path.clone(), Blob { etag: etag.clone(), bytes });
        (201, "", vec![("ETag", etag)], String::new())
    }

    fn content(&self, call: &Call) -> Reply {
        let Some(blob) = self.blobs.get(&call.path) else { return (404, "BlobNotFound", Vec::new(), String::new()) };
        let headers = vec![("ETag", blob.etag.clone()), ("x-ms-blob-type", "BlockBlob".to_owned())];
        (200, "", headers, String::from_utf8(blob.bytes.clone()).unwrap())
    }

    /// Blocks that are staged; those of a blob are not kept apart.
    fn blocks(&self, call: &Call) -> Reply {
        let mut blocks = String::new();
        for ((_, id), bytes) in self.staged.iter().filter(|((path, _), _)| *path == call.path) {
            write!(blocks, "<Block><Name>{id}</Name><Size>{}</Size></Block>", bytes.len()).unwrap();
        }
        if blocks.is_empty() {
            return (404, "BlobNotFound", Vec::new(), String::new());
        }
        let text = format!("<BlockList><UncommittedBlocks>{blocks}</UncommittedBlocks></BlockList>");
        (200, "", Vec::new(), text)
    }

    fn listing(&self, container: &str) -> String {
        let mut text = String::from("<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults><Blobs>");
        for (name, blob) in self.blobs.iter().filter(|(name, _)| name.split('/').next() == Some(container)) {
            let name = quick_xml::escape::escape(&name[container.len() + 1..]).into_owned();
            let etag = blob.etag.trim_matches('"');
            write!(
                text,
                "<Blob><Name>{name}</Name><Properties><Etag>{etag}</Etag><BlobType>BlockBlob</BlobType></Properties></Blob>"
            )
            .unwrap();
        }
        text + "</Blobs><NextMarker/></EnumerationResults>"
    }
}

fn read(stream: &TcpStream) -> Option<Call> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 || line == "\r\n" {
            break;
        }
        let (name, value) = line.split_once(':')?;
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let plain = |text: &str| percent_decode_str(text).decode_utf8().unwrap().into_owned();
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    // the emulator has the account first
    let path = plain(path.trim_start_matches('/').split_once('/')?.1);
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    Some(Call { method, path, query: pairs.map(|(name, value)| (plain(name), plain(value))).collect(), headers, body })
}
