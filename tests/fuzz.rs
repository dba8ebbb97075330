//! Everything that reads foreign bytes, against many broken inputs, on a stable compiler.
//!
//! Each body gets its seeds as they are, then 100,000 inputs made from them; `DOCKSIDE_FUZZ_INPUTS`
//! asks for another number, `DOCKSIDE_FUZZ_SEED` for other ones. An input that makes a body panic is kept in the target folder and
//! named: put it into `tests/data/fuzz/regressions/NAME/` with the fix. `make fuzz` goes on from the same seeds, guided by coverage.
#![allow(clippy::unwrap_used, reason = "a test that meets the unexpected should stop there")]

#[path = "support/fuzz_bodies.rs"]
mod fuzz_bodies;
#[path = "support/mutator.rs"]
mod mutator;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{env, fs, panic};

use dockside::job::Job;
use dockside::manifest::{ManifestLimits, summarise};
use dockside::volume::ntfs::fuzzing;
use fuzz_bodies::BODIES;
use mutator::{Mutator, dictionary};

/// No input may take longer; far above what any takes, also on a busy machine.
const SLOW: Duration = Duration::from_secs(20);

fn number(variable: &str, default: u64) -> u64 {
    env::var(variable).map_or(default, |text| text.parse().unwrap())
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|item| item.unwrap().path()).collect();
    files.sort();
    files
}

fn seeds(name: &str) -> Vec<Vec<u8>> {
    let files = files(&root().join("tests/data/fuzz").join(name));
    assert!(!files.is_empty(), "no seeds for {name}");
    files.iter().map(|file| fs::read(file).unwrap()).collect()
}

/// Runs a body on one input; a panic leaves the input behind.
fn feed(name: &str, body: fuzz_bodies::Body, input: &[u8], which: &str) {
    let begin = Instant::now();
    if let Err(cause) = panic::catch_unwind(|| body(input)) {
        let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("fuzz-{name}-{which}"));
        fs::write(&kept, input).unwrap();
        eprintln!("{name} panics on {}", kept.display());
        panic::resume_unwind(cause);
    }
    let taken = begin.elapsed();
    assert!(taken < SLOW, "{name} takes {taken:?} for {which}");
}

fn drive(name: &str) {
    let body = BODIES.iter().find(|(n, _)| *n == name).unwrap().1;
    let seeds = seeds(name);
    for (index, seed) in seeds.iter().enumerate() {
        feed(name, body, seed, &format!("seed-{index}"));
    }
    let words = dictionary(&fs::read_to_string(root().join("fuzz").join(format!("{name}.dict"))).unwrap());
    let mut inputs = Mutator::new(number("DOCKSIDE_FUZZ_SEED", 1), words);
    for index in 0..number("DOCKSIDE_FUZZ_INPUTS", 100_000) {
        feed(name, body, &inputs.next(&seeds), &format!("input-{index}"));
    }
}

/// One test for each body, by its name.
macro_rules! bodies {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            drive(stringify!($name));
        })*

        #[test]
        fn every_body_has_a_test_and_a_target() {
            let tested = [$(stringify!($name)),*];
            let mut targets: Vec<String> = fs::read_dir(root().join("fuzz/fuzz_targets")).unwrap()
                .map(|item| item.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned()).collect();
            targets.sort();
            let mut bodies: Vec<&str> = BODIES.iter().map(|(name, _)| *name).collect();
            bodies.sort_unstable();
            assert_eq!(bodies, tested);
            assert_eq!(bodies, targets);
        }
    };
}

// in alphabetical order
bodies! { bitlocker index job lznt1 manifest names ntfs_record ntfs_volume partition run_list side_files }

/// `tests/data/fuzz/regressions/BODY/FAULT`: each once broke its body.
#[test]
fn inputs_that_broke_a_body_no_longer_do() {
    let folders = root().join("tests/data/fuzz/regressions");
    for folder in if folders.exists() { files(&folders) } else { Vec::new() } {
        let name = folder.file_name().unwrap().to_str().unwrap();
        let body = BODIES.iter().find(|(n, _)| *n == name).unwrap().1;
        for file in files(&folder) {
            feed(name, body, &fs::read(&file).unwrap(), file.file_name().unwrap().to_str().unwrap());
        }
    }
}

#[test]
fn the_volumes_that_are_broken_are_sound_before() {
    let found = fuzz_bodies::sound();
    assert!(found.iter().all(|[before, again]| *before > 20 && before == again), "{found:?}");
}

#[test]
fn the_seeds_get_past_the_first_checks() {
    for (number, seed) in seeds("bitlocker").iter().enumerate() {
        assert!(fuzz_bodies::unlocks(seed), "seed {number}");
    }
    let found: Vec<usize> = seeds("partition").iter().map(|seed| fuzz_bodies::tables(seed)).collect();
    assert!(found.iter().all(|&found| found > 0), "{found:?}");
    assert!(seeds("lznt1").iter().all(|seed| fuzzing::decompress(seed, &mut [0; 4096])));
    assert!(
        seeds("run_list")
            .iter()
            .all(|seed| fuzzing::run_list(&seed[16..], u64::from(seed[0]) | u64::from(seed[1]) << 8, 6144).is_some())
    );
    assert!(seeds("job").iter().all(|seed| Job::parse(seed).is_ok()));
    let manifest = |seed: &Vec<u8>| summarise(seed.as_slice(), None, &ManifestLimits::default()).is_ok();
    assert!(seeds("manifest").iter().filter(|seed| manifest(seed)).count() >= 5);
}

#[test]
fn the_same_number_gives_the_same_inputs() {
    let seeds = [b"one".to_vec(), b"another".to_vec()];
    let run = |seed| {
        let mut made = Mutator::new(seed, vec![b"word".to_vec()]);
        (0..100).map(|_| made.next(&seeds)).collect::<Vec<_>>()
    };
    assert_eq!(run(5), run(5));
    assert_ne!(run(5), run(6));
}

#[test]
fn a_dictionary_is_read_as_libfuzzer_reads_it() {
    assert_eq!(dictionary("# \"no\"\nname=\"a\\x41\\\\\\\"\"\n\n\"b\"\n"), [b"aA\\\"".to_vec(), b"b".to_vec()]);
}
