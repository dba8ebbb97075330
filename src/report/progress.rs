//! How far each drive is, on stderr: bars on a terminal, a line now and then elsewhere. Stdout is left to results.
//!
//! One [`Board`] for a run, one [`Progress`] for a drive: a handle that any thread may hold and feed. Log events go through the
//! board's [`LogWriter`], which takes the bars off the terminal while a line is written.

mod pace;

use std::fmt;
use std::io::{self, IsTerminal as _, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use tracing_subscriber::fmt::MakeWriter;

use super::human;
use crate::foreign::Shown;
use pace::Pace;

/// Before the total is known.
const WAITING: &str = "{prefix} {spinner} {msg}";
/// After. Two lines: all of it in one would not fit 80 columns.
const MOVING: &str = "{prefix} {msg} [{wide_bar}] {binary_bytes} of {binary_total_bytes}\n  \
    {binary_bytes_per_sec}, {eta} left, {entries}";

type Lines = Arc<Mutex<Box<dyn Write + Send>>>;

/// Where the progress of all drives of a run is shown.
#[derive(Clone)]
pub struct Board {
    bars: MultiProgress,
    lines: Option<Lines>,
}

/// The progress of one drive. Clones feed the same one; dropping the last one ends it.
#[derive(Clone)]
pub struct Progress(Arc<Drive>);

struct Drive {
    label: String,
    bar: ProgressBar,
    counts: Arc<Counts>,
    stage: Mutex<String>,
    lines: Option<(Lines, Mutex<Pace>)>,
    began: Instant,
    ended: AtomicBool,
}

#[derive(Default)]
struct Counts {
    entries: AtomicU64,
    entries_total: AtomicU64,
    failed: AtomicU64,
}

/// Writes log events to stderr without tearing the bars.
#[derive(Clone)]
pub struct LogWriter(MultiProgress);

impl Board {
    /// Bars if stderr is a terminal, lines otherwise.
    pub fn detect() -> Self {
        if io::stderr().is_terminal() {
            Self { bars: MultiProgress::with_draw_target(ProgressDrawTarget::stderr()), lines: None }
        } else {
            Self::lines(Box::new(io::stderr()))
        }
    }

    /// Lines to some place.
    pub fn lines(out: Box<dyn Write + Send>) -> Self {
        Self { lines: Some(Arc::new(Mutex::new(out))), ..Self::silent() }
    }

    /// Shows nothing.
    pub fn silent() -> Self {
        Self { bars: MultiProgress::with_draw_target(ProgressDrawTarget::hidden()), lines: None }
    }

    /// Begins a drive. The label (drive id, or the source until that is known) may be foreign: it is escaped.
    pub fn drive(&self, label: &str) -> Progress {
        let label = Shown(label).to_string();
        let counts = Arc::<Counts>::default();
        // without a terminal the bar still measures speed and time left
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        let bar = if self.bars.is_hidden() { bar } else { self.bars.add(bar) };
        bar.set_style(style(WAITING, &counts));
        bar.set_prefix(label.clone());
        let lines = self.lines.clone().map(|lines| (lines, Mutex::new(Pace::default())));
        let stage = Mutex::new("begun".to_owned());
        let progress =
            Progress(Arc::new(Drive { label, bar, counts, stage, lines, began: Instant::now(), ended: AtomicBool::new(false) }));
        progress.0.line();
        if !self.bars.is_hidden() {
            progress.0.bar.enable_steady_tick(Duration::from_millis(250));
        }
        progress
    }

    /// For the fmt layer of tracing-subscriber.
    pub fn log_writer(&self) -> LogWriter {
        LogWriter(self.bars.clone())
    }

    /// Takes the bars off the terminal while `print` runs, for results on stdout.
    pub fn suspend<R>(&self, print: impl FnOnce() -> R) -> R {
        self.bars.suspend(print)
    }
}

impl fmt::Debug for Board {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Board").field("lines", &self.lines.is_some()).finish_non_exhaustive()
    }
}

impl Progress {
    /// What lies ahead: bytes of all ranges, and entries. Speed and time left count from here.
    pub fn total(&self, bytes: u64, entries: u64) {
        let drive = &self.0;
        drive.counts.entries_total.store(entries, Ordering::Relaxed);
        drive.bar.set_length(bytes);
        drive.bar.set_style(style(MOVING, &drive.counts));
        drive.bar.reset_eta();
        drive.line();
    }

    /// Bytes that need no more work: sent, skipped or failed.
    pub fn add_bytes(&self, count: u64) {
        self.0.bar.inc(count);
        self.0.line_if_due();
    }

    /// An entry has ended.
    pub fn entry_done(&self, ok: bool) {
        self.0.counts.entries.fetch_add(1, Ordering::Relaxed);
        if !ok {
            self.0.counts.failed.fetch_add(1, Ordering::Relaxed);
        }
        self.0.line_if_due();
    }

    /// What is being done now, in a word or two: `unlocking`, `transferring`.
    pub fn stage(&self, stage: &str) {
        let stage = Shown(stage).to_string();
        self.0.bar.set_message(stage.clone());
        *self.0.stage.lock().unwrap_or_else(PoisonError::into_inner) = stage;
        self.0.line_if_due();
    }

    /// The drive has ended: its bar goes, and a last line stays where there are lines. Harmless to repeat.
    pub fn finish(&self) {
        self.0.finish();
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Progress").field(&self.0.label).finish()
    }
}

impl Drive {
    fn finish(&self) {
        if self.ended.swap(true, Ordering::Relaxed) {
            return;
        }
        let (moved, took) = (human::bytes(self.bar.position()), human::duration(self.began.elapsed()));
        let known = self.bar.length().is_some();
        self.bar.finish_and_clear();
        if let Some((lines, _)) = &self.lines {
            let what = if known { format!(": {moved}, {}", self.counts.show()) } else { String::new() };
            write_line(lines, &format!("{}: ended after {took}{what}", self.label));
        }
    }

    /// A line, if enough time has passed. A thread that finds another one deciding goes on.
    fn line_if_due(&self) {
        let Some((_, pace)) = &self.lines else { return };
        let permille = permille(self.bar.position(), self.bar.length());
        let due = pace.try_lock().is_ok_and(|mut pace| pace.due(self.began.elapsed(), permille));
        if due {
            self.line();
        }
    }

    fn line(&self) {
        let Some((lines, _)) = &self.lines else { return };
        let stage = self.stage.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(total) = self.bar.length() else {
            return write_line(lines, &format!("{}: {stage}", self.label));
        };
        let position = self.bar.position();
        let moved = format!("{} of {}", human::bytes(position), human::bytes(total));
        let speed = if position > 0 {
            let (rate, left) = (human::rate(self.bar.per_sec()), human::duration(self.bar.eta()));
            format!(" ({} %), {rate}, about {left} left", permille(position, Some(total)) / 10)
        } else {
            String::new()
        };
        write_line(lines, &format!("{}: {stage}: {moved}{speed}, {}", self.label, self.counts.show()));
    }
}

impl Drop for Drive {
    fn drop(&mut self) {
        self.finish();
    }
}

impl Counts {
    /// `3 of 20 entries, 1 error`.
    fn show(&self) -> String {
        let [done, total, failed] =
            [&self.entries, &self.entries_total, &self.failed].map(|number| number.load(Ordering::Relaxed));
        format!(
            "{} of {}, {}",
            human::count(done),
            human::nouns(total, "entry", "entries"),
            human::nouns(failed, "error", "errors")
        )
    }
}

impl Write for LogWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.suspend(|| io::stderr().write_all(line))?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

impl MakeWriter<'_> for LogWriter {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

impl fmt::Debug for LogWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LogWriter")
    }
}

/// A style with the numbers of entries in it. A template that does not parse (a test sees that they do) leaves the plain bar.
fn style(template: &str, counts: &Arc<Counts>) -> ProgressStyle {
    let counts = Arc::clone(counts);
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    style.progress_chars("=> ").with_key("entries", move |_: &ProgressState, out: &mut dyn fmt::Write| {
        // the buffer of a draw takes everything
        let _ = out.write_str(&counts.show());
    })
}

/// Thousandths; 0 if there is nothing to come.
fn permille(position: u64, total: Option<u64>) -> u64 {
    let total = total.unwrap_or(0).max(1);
    u64::try_from(u128::from(position) * 1_000 / u128::from(total)).unwrap_or(1_000).min(1_000)
}

fn write_line(lines: &Lines, line: &str) {
    let mut out = lines.lock().unwrap_or_else(PoisonError::into_inner);
    // progress that cannot be shown is no reason to stop a transfer
    let _ = out.write_all(format!("{line}\n").as_bytes()).and_then(|()| out.flush());
}

#[cfg(test)]
mod tests;
