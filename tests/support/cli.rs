//! Drives the real program as a user would: a folder of its own for each test, a clean environment, and what came out.
//!
//! Every run is searched for secrets: the recovery passwords of all jobs that the test uses and the keys it names must not stand in
//! the output, in the ledger, logs and receipts of the state folder, or in the reports of the store.
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Mutex;

use serde_json::Value;
use tempfile::TempDir;

/// How a run of the program ended.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: Vec<u8>,
    pub(crate) err: String,
}

impl Ran {
    /// Standard output as text.
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.out).unwrap()
    }

    /// Standard output as one JSON document.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.out).unwrap_or_else(|e| panic!("no JSON document ({e}): {}\n{}", self.text(), self.err))
    }

    /// Checks the exit code and that each of these words was said on stderr.
    #[track_caller]
    pub(crate) fn says(self, code: i32, words: &[&str]) -> Self {
        assert_eq!(self.code, code, "{}", self.err);
        for word in words {
            assert!(self.err.contains(word), "{word:?} is not said:\n{}", self.err);
        }
        self
    }

    /// Checks the exit code.
    #[track_caller]
    pub(crate) fn ends(self, code: i32) -> Self {
        self.says(code, &[])
    }
}

/// A folder with everything that a test's runs use.
pub(crate) struct Desk {
    folder: TempDir,
    secrets: Mutex<BTreeSet<String>>,
}

impl Desk {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), secrets: Mutex::default() }
    }

    /// A path in the desk's folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file of the desk.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, content).unwrap();
        path
    }

    /// The URL of a folder of the desk as a store.
    pub(crate) fn url(&self, store: &str) -> String {
        format!("file://{}", self.path(store).display())
    }

    /// From now on this text must not come out of any run.
    pub(crate) fn secret(&self, text: &str) {
        self.secrets.lock().unwrap().insert(text.to_owned());
    }

    /// The job of a test drive, changed and written under a name.
    pub(crate) fn job(&self, drive: &str, name: &str, change: impl FnOnce(&mut Value)) -> PathBuf {
        let file = format!("tests/data/drives/{drive}.img.job.json");
        let text = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
        let mut job: Value = serde_json::from_slice(&text).unwrap();
        self.keep_passwords_secret(&job);
        change(&mut job);
        self.keep_passwords_secret(&job);
        self.write(name, serde_json::to_vec_pretty(&job).unwrap())
    }

    fn keep_passwords_secret(&self, job: &Value) {
        for drive in job["properties"]["driveList"].as_array().into_iter().flatten() {
            if let Some(password) = drive["bitLockerKey"].as_str().filter(|password| password.len() > 20) {
                self.secret(password);
                self.secret(&password.replace('-', ""));
                // half of a password is already too much
                self.secret(&password[..27]);
                self.secret(&password[28..]);
            }
        }
    }

    /// The program, in the desk's folder and with none of our variables.
    pub(crate) fn command<S: AsRef<std::ffi::OsStr>>(&self, arguments: &[S]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dockside"));
        command.args(arguments).current_dir(self.folder.path()).env_clear().stdin(Stdio::null());
        command.env("HOME", self.folder.path());
        command
    }

    /// Runs the program to its end.
    pub(crate) fn run<S: AsRef<std::ffi::OsStr>>(&self, arguments: &[S]) -> Ran {
        self.finish(self.command(arguments).output().unwrap())
    }

    /// Runs the program with something on its standard input.
    pub(crate) fn run_with<S: AsRef<std::ffi::OsStr>>(&self, arguments: &[S], input: &[u8]) -> Ran {
        let mut command = self.command(arguments);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        self.finish(child.wait_with_output().unwrap())
    }

    /// Runs the program with these variables.
    pub(crate) fn run_in<S: AsRef<std::ffi::OsStr>>(&self, arguments: &[S], variables: &[(String, String)]) -> Ran {
        self.finish(self.command(arguments).envs(variables.iter().cloned()).output().unwrap())
    }

    /// Waits for a program that was started.
    pub(crate) fn wait(&self, child: Child) -> Ran {
        self.finish(child.wait_with_output().unwrap())
    }

    /// The arguments of `ingest` with `--state state` and `--store store` of this desk.
    pub(crate) fn arguments(&self, source: &Path, job: &Path, more: &[&str]) -> Vec<String> {
        let mut arguments =
            vec!["ingest".to_owned(), source.display().to_string(), "--job".to_owned(), job.display().to_string()];
        if !more.contains(&"--state") {
            arguments.extend(["--state".to_owned(), "state".to_owned()]);
        }
        if !more.contains(&"--store") {
            arguments.extend(["--store".to_owned(), self.url("store")]);
        }
        arguments.extend(more.iter().map(|&word| word.to_owned()));
        arguments
    }

    /// `dockside ingest` with `--state state` and `--store store` of this desk, unless they are given.
    pub(crate) fn ingest(&self, source: &Path, job: &Path, more: &[&str]) -> Ran {
        self.run(&self.arguments(source, job, more))
    }

    fn finish(&self, output: Output) -> Ran {
        let err = String::from_utf8(output.stderr).unwrap();
        let secrets = self.secrets.lock().unwrap();
        let search = |place: &str, bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes);
            assert!(!secrets.iter().any(|secret| text.contains(secret)), "a secret stands in {place}: {text}");
        };
        let hidden = |c: char| {
            (c.is_control() && c != '\n')
                || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        };
        assert!(!err.contains(hidden), "what a terminal obeys stands in {err:?}");
        search("standard error", err.as_bytes());
        search("standard output", &output.stdout);
        for file in files(self.folder.path()) {
            let shown = file.display().to_string();
            if shown.contains("/ledger.db") {
                // by another process: a test may have the ledger open, and would lose its locks by closing the file
                search(&shown, &Command::new("cat").arg(&file).output().unwrap().stdout);
            } else if shown.contains("/sessions/") || shown.contains("/waies/") || shown.contains("/scratch/") {
                search(&shown, &fs::read(&file).unwrap_or_default());
            }
        }
        Ran { code: output.status.code().unwrap_or(-1), out: output.stdout, err }
    }

    /// The blobs of a folder store, by container and name; reports and files of the program's own are left out.
    pub(crate) fn blobs(&self, store: &str) -> BTreeMap<String, Vec<u8>> {
        let root = self.path(store);
        let name = |file: &Path| file.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
        let blob =
            |name: &String| !name.starts_with("waimportexport/") && !name.split('/').any(|part| part.starts_with(".dockside"));
        let found = files(&root).into_iter().map(|file| (name(&file), file));
        found.filter(|(name, _)| blob(name)).map(|(name, file)| (name, fs::read(file).unwrap())).collect()
    }

    /// The reports in a folder store whose names end so.
    pub(crate) fn reports(&self, store: &str, end: &str) -> Vec<PathBuf> {
        let mut found = files(&self.path(store).join("waimportexport/waies"));
        found.retain(|file| {
            let name = file.file_name().unwrap().to_str().unwrap();
            name.ends_with(end) && !name.starts_with('.')
        });
        found
    }

    /// All files and folders below a place with their content and times: what must be the same if nothing was written.
    pub(crate) fn snapshot(&self, place: &str) -> BTreeMap<PathBuf, (Vec<u8>, Option<std::time::SystemTime>)> {
        let content = |file: PathBuf| {
            let changed = fs::metadata(&file).and_then(|m| m.modified()).ok();
            let bytes = fs::read(&file).unwrap_or_default();
            (file, (bytes, changed))
        };
        files(&self.path(place)).into_iter().map(content).collect()
    }
}

/// All files below a folder, in order; none if it is not there. The ledger, which keeps the history of whatever happens, is left out.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let kind = entry.file_type().unwrap();
            let ledger = entry.file_name().to_string_lossy().starts_with("ledger.db");
            match kind.is_dir() {
                true => folders.push(entry.path()),
                false if ledger => {}
                false => found.push(entry.path()),
            }
        }
    }
    found.sort();
    found
}

/// What the file of a drive's path has to hold, by SHA-256 in lower-case digits.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    use std::fmt::Write as _;
    sha2::Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}
