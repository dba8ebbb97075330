//! Lines where there is no terminal, and counts.

use super::*;

/// A place for lines that the test can read.
#[derive(Clone, Default)]
struct Page(Arc<Mutex<Vec<u8>>>);

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Page {
    fn lines(&self) -> Vec<String> {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap().lines().map(str::to_owned).collect()
    }
}

#[test]
fn the_templates_parse() {
    for template in [WAITING, MOVING] {
        assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
    }
}

#[test]
fn a_short_run_has_a_line_at_the_start_and_one_at_the_end() {
    let page = Page::default();
    let progress = Board::lines(Box::new(page.clone())).drive("ZX10\u{1b}[2J");
    progress.stage("transferring");
    progress.total(5_242_880, 3);
    let threads: Vec<_> = (0..4)
        .map(|worker| {
            let progress = progress.clone();
            std::thread::spawn(move || {
                progress.add_bytes(1_048_576);
                progress.entry_done(worker != 2);
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    progress.finish();
    progress.finish();
    drop(progress);
    let lines = page.lines();
    assert_eq!(
        lines[..2],
        ["ZX10\\u{1b}[2J: begun".to_owned(), "ZX10\\u{1b}[2J: transferring: 0 B of 5.0 MiB, 0 of 3 entries, 0 errors".to_owned(),]
    );
    assert!(lines[2].starts_with("ZX10\\u{1b}[2J: ended after ") && lines[2].ends_with(": 4.0 MiB, 4 of 3 entries, 1 error"));
    assert_eq!(lines.len(), 3);
}

#[test]
fn a_drive_that_is_dropped_has_ended_too() {
    let page = Page::default();
    let board = Board::lines(Box::new(page.clone()));
    drop(board.drive("ZX10"));
    assert_eq!(page.lines().len(), 2);
    assert!(page.lines()[1].starts_with("ZX10: ended after ") && page.lines()[1].ends_with(" s"), "{:?}", page.lines());
    assert_eq!(board.suspend(|| 7), 7);
}

#[test]
fn what_was_done_is_never_more_than_all() {
    for (position, total, expected) in [(0, None, 0), (5, Some(0), 1_000), (1, Some(3), 333), (u64::MAX, Some(u64::MAX), 1_000)] {
        assert_eq!(permille(position, total), expected);
    }
}

#[test]
fn log_events_can_go_through_the_board() {
    fn layer(writer: impl for<'a> MakeWriter<'a> + Send + Sync + 'static) -> impl tracing::Subscriber {
        tracing_subscriber::fmt().with_writer(writer).finish()
    }
    let _subscriber = layer(Board::silent().log_writer());
}
