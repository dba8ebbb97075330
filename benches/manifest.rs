//! Reads a manifest of a million blobs, made while it is read. Prints megabytes per CPU-second and the peak of memory above the start.

#![allow(clippy::expect_used, reason = "a measurement that meets the unexpected should stop there")]

use std::fmt::Write as _;
use std::io::{self, Read};
use std::time::{Duration, Instant};

use dockside::drive::DriveId;
use dockside::manifest::{Disposition, ManifestHash, ManifestLimits, read, summarise};

const BLOBS: u64 = 1_000_000;

/// The manifest as a source: one blob at a time.
struct Manifest {
    next: u64,
    buffer: String,
    taken: usize,
}

impl Manifest {
    fn new() -> Self {
        let buffer = concat!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<DriveManifest Version=\"2014-11-01\">\n  <Drive>\n",
            "    <DriveId>BENCH-1</DriveId>\n    <ClientCreator>bench</ClientCreator>\n    <BlobList>\n"
        );
        Self { next: 0, buffer: buffer.to_owned(), taken: 0 }
    }

    /// The next blob: one or two blocks with ids, as the preparation tool writes them.
    fn fill(&mut self) -> std::fmt::Result {
        let (n, out) = (self.next, &mut self.buffer);
        out.clear();
        self.taken = 0;
        self.next += 1;
        if n == BLOBS {
            return out.write_str("    </BlobList>\n  </Drive>\n</DriveManifest>\n");
        }
        if n > BLOBS {
            return Ok(());
        }
        let tail = n % 3 * 1000;
        write!(out, "      <Blob>\n        <BlobPath>survey/2013/{:03}/site-{n:07}.las</BlobPath>\n", n % 997)?;
        writeln!(out, "        <FilePath>\\survey\\2013\\{:03}\\site-{n:07}.las</FilePath>", n % 997)?;
        write!(out, "        <Length>{}</Length>\n        <ImportDisposition>rename</ImportDisposition>\n", 65_536 + tail)?;
        write!(
            out,
            "        <BlockList>\n          <Block Offset=\"0\" Length=\"65536\" Id=\"AAAAAA==\" Hash=\"{n:032X}\" />\n"
        )?;
        if tail > 0 {
            writeln!(out, "          <Block Offset=\"65536\" Length=\"{tail}\" Id=\"AAAAAQ==\" Hash=\"{n:032X}\" />")?;
        }
        out.write_str("        </BlockList>\n      </Blob>\n")
    }
}

impl Read for Manifest {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.buffer.len() {
            self.fill().map_err(io::Error::other)?;
        }
        let count = (&self.buffer.as_bytes()[self.taken..]).read(into)?;
        self.taken += count;
        Ok(count)
    }
}

/// CPU time of this process, user and system.
fn cpu() -> Duration {
    let usage = nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_SELF).expect("getrusage");
    let time = |t: nix::sys::time::TimeVal| Duration::from_micros((t.tv_sec() * 1_000_000 + t.tv_usec()).unsigned_abs());
    time(usage.user_time()) + time(usage.system_time())
}

/// Peak of memory, KiB.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("VmHWM");
    line.trim_end_matches("kB").trim().parse().expect("a number")
}

/// Runs it and prints its speed; `making` is the share of CPU time that made the manifest meanwhile.
fn measure<T>(what: &str, bytes: u64, making: f64, run: impl FnOnce() -> T) -> (T, f64) {
    let (wall, start) = (Instant::now(), cpu());
    let result = run();
    let (spent, took) = (cpu().saturating_sub(start).as_secs_f64() - making, wall.elapsed().as_secs_f64());
    #[allow(clippy::cast_precision_loss, reason = "printed with one digit")]
    let megabytes = bytes as f64 / 1e6;
    println!("{what:<34} {:>8.1} MB per CPU-second   ({spent:.2} s CPU, {took:.2} s)", megabytes / spent);
    (result, spent)
}

fn main() {
    let drive: DriveId = "BENCH-1".parse().expect("an id");
    let limits = ManifestLimits::default();
    let folder = tempfile::tempdir().expect("a folder");
    let bytes = io::copy(&mut Manifest::new(), &mut io::sink()).expect("the source");
    println!("manifest of {BLOBS} blobs, {bytes} bytes");
    let base = peak_kib();
    let (_, making) =
        measure("making the manifest", bytes, 0.0, || io::copy(&mut Manifest::new(), &mut io::sink()).expect("the source"));
    let (summary, _) =
        measure("hash (both) and check", bytes, making, || summarise(Manifest::new(), None, &limits).expect("a good manifest"));
    let sha = ManifestHash::Sha256(summary.sha256);
    measure("hash (SHA-256) and check", bytes, making, || {
        summarise(Manifest::new(), Some(&sha), &limits).expect("a good manifest")
    });
    let sealed =
        |expected: &ManifestHash| read(Manifest::new(), expected, &drive, &limits, folder.path()).expect("a good manifest");
    measure("hash (SHA-256), check and spool", bytes, making, || sealed(&sha));
    let md5 = ManifestHash::Md5(summary.md5.expect("both were asked for"));
    let (catalogue, _) = measure("hash (MD5, SHA-256), check, spool", bytes, making, || sealed(&md5));
    let (renamed, _) = measure("all entries and ranges again", bytes, 0.0, || {
        let entries = catalogue.entries().map(|entry| entry.expect("an entry"));
        let ranges = catalogue.ranges(0, catalogue.summary().ranges).map(|range| range.expect("a range"));
        (entries.filter(|entry| entry.disposition == Disposition::Rename).count() as u64, ranges.count() as u64)
    });
    assert_eq!(renamed, (catalogue.summary().entries, catalogue.summary().ranges));
    let spooled: u64 =
        std::fs::read_dir(folder.path()).expect("files").map(|file| file.expect("file").metadata().expect("size").len()).sum();
    println!("catalogue {spooled} bytes; peak memory above the start {} KiB", peak_kib() - base);
}
