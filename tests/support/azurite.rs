//! The emulator of Azure Blob Storage: started on a free port of loopback, in memory, killed at the end.
//!
//! The program is `DOCKSIDE_AZURITE` or `node_modules/.bin/azurite-blob` of the repository. Without it tests are skipped with a
//! message, unless `CI` or `DOCKSIDE_REQUIRE_AZURITE` is set: then they fail.
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The emulator's account.
pub(crate) const ACCOUNT: &str = "devstoreaccount1";

/// A running emulator.
pub(crate) struct Azurite {
    child: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Azurite {
    /// Starts one; `None` if the program is not there and need not be.
    pub(crate) fn start() -> Option<Self> {
        let Some(program) = program() else {
            let needed = std::env::var_os("CI").is_some() || std::env::var_os("DOCKSIDE_REQUIRE_AZURITE").is_some();
            assert!(!needed, "Azurite is required and not there: npm install --no-save azurite, or set DOCKSIDE_AZURITE");
            eprintln!("skipped: Azurite is not there (npm install --no-save azurite, or set DOCKSIDE_AZURITE)");
            return None;
        };
        // somebody else may take the port between our look and its start
        (0..5).find_map(|_| Self::try_start(&program)).or_else(|| panic!("{} does not answer", program.display()))
    }

    fn try_start(program: &PathBuf) -> Option<Self> {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let folder = tempfile::tempdir().unwrap();
        let child = Command::new(program)
            .args(["--silent", "--disableTelemetry", "--inMemoryPersistence", "--skipApiVersionCheck", "--blobHost", "127.0.0.1"])
            .arg("--blobPort")
            .arg(port.to_string())
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut azurite = Self { child, port, _folder: folder };
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_mins(2) {
            if azurite.child.try_wait().unwrap().is_some() {
                return None;
            }
            if azurite.answers() {
                return Some(azurite);
            }
            // the condition is the answer above; this only keeps the loop from taking a whole core
            std::thread::sleep(Duration::from_millis(50));
        }
        None
    }

    fn answers(&self) -> bool {
        let ask = || -> std::io::Result<usize> {
            let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
            stream.set_read_timeout(Some(Duration::from_secs(5)))?;
            stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
            stream.read(&mut [0; 16])
        };
        ask().is_ok_and(|read| read > 0)
    }

    /// Where it answers, without the account.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What a program needs in its environment or credentials file to find it.
    pub(crate) fn settings(&self) -> Vec<(String, String)> {
        vec![("AZURE_STORAGE_USE_EMULATOR".to_owned(), "true".to_owned()), ("AZURITE_BLOB_STORAGE_URL".to_owned(), self.url())]
    }
}

impl Drop for Azurite {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn program() -> Option<PathBuf> {
    let named = std::env::var_os("DOCKSIDE_AZURITE").map(PathBuf::from);
    let own = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("node_modules/.bin/azurite-blob");
    named.or(Some(own)).filter(|path| path.exists())
}
