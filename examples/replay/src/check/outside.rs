//! A segment in a directory of its own, and what a reader of the file makes of it.

use super::compare::{Comparison, Row, View, compare};
use super::same::same;
use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use tach::reader::{Directory, Life, Reading, Segment};
use tach::{Recording, Registry, RegistryBuilder};

/// What the process is called.
const NAME: &str = "replay";

/// A directory on tmpfs, removed when this is dropped.
#[derive(Debug)]
pub(super) struct Outside(PathBuf);

impl Drop for Outside {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("replay: {}: cannot be removed: {error}", self.0.display());
        }
    }
}

impl Outside {
    pub(super) fn new() -> Result<Self, String> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        // Relaxed: each gets another number, and nothing else goes by it.
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = Path::new("/dev/shm").join(format!("tach-replay-{}-{number}", std::process::id()));
        // One that is there already is somebody's.
        fs::DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .map_err(|error| format!("{}: cannot be made: {error}", path.display()))?;
        Ok(Self(path))
    }

    pub(super) fn builder(&self) -> RegistryBuilder {
        Registry::builder().recording(Recording::Process).segment_dir(&self.0).process_name(NAME)
    }

    /// Compares what the file tells with the account, while the writer lives and when it has ended. Nobody records any
    /// more, and nobody else has the registry.
    pub(super) fn compare(&self, account: &[Row], registry: Registry, seen: &[&str]) -> Result<Comparison, String> {
        let error = |error: tach::Error| error.to_string();
        let path = match registry.segment() {
            Some(Ok(path)) => path.to_owned(),
            why => return Err(format!("nothing is recorded in {}: {why:?}", self.0.display())),
        };
        let mut segment = Segment::open(&path).map_err(error)?;
        let directory = Directory::watch(&self.0).map_err(error)?;
        let live = segment.read().map_err(error)?;
        let mut all = compare(account, View { snapshot: &live.snapshot, process: None }, seen);
        sound(&mut all, &live);
        all.that(live.info.life.is_alive(), || format!("the segment of a process that lives: {:?}", live.info.life));

        let together = directory.read();
        let found = compare(account, View { snapshot: &together, process: Some(NAME) }, seen);
        all.add("the directory", found);
        all.equal("segments of the directory", directory.segments().len(), 1);
        all.equal("faults of the directory", directory.faults(), Vec::new());

        drop(registry);
        let ended = segment.read().map_err(error)?;
        sound(&mut all, &ended);
        all.equal("the segment of a registry that is gone", ended.info.life, Life::Closed);
        same(&mut all, &ended.snapshot, &live.snapshot);
        Ok(all)
    }
}

fn sound(comparison: &mut Comparison, reading: &Reading) {
    comparison.equal("faults of the segment", &reading.faults, &Vec::new());
    comparison.equal("histograms in which a recording is under way", &reading.torn, &Vec::new());
    comparison.equal("what found no room in the segment", reading.info.fallbacks, 0);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::{Account, BARE, Book};
    use crate::check::tests::metrics;
    use std::os::unix::fs::FileExt;
    use std::time::Duration;
    use tach::serve::{Clock, Identity, Objectives, Profile, Profiles};

    const TOKENS: u64 = 0x5eed_0000_0001;

    /// What is found of the tokens and of `itl`, where `falsify` has had the file.
    fn problems(itl: &[u64], falsify: impl FnOnce(&Path)) -> Vec<String> {
        let outside = Outside::new().unwrap();
        let registry = outside.builder().build().unwrap();
        let profiles = Profiles::new(&[Profile::MaxServe], &Identity::default()).unwrap();
        let metrics = metrics();
        metrics.attach(&registry, &profiles, Objectives::default(), Clock::new()).unwrap();
        metrics.output_tokens(TOKENS);
        metrics.itl(Duration::from_millis(5));
        metrics.itl(Duration::from_millis(7));
        metrics.detach();
        let mut book = Account::default();
        book.count("num_output_tokens", BARE, TOKENS);
        itl.iter().for_each(|value| book.value("itl", BARE, *value));
        falsify(registry.segment().unwrap().unwrap());
        let found = outside.compare(&Account::merged([book]).into_sorted(), registry, &[]).unwrap().problems;
        found.into_iter().filter(|problem| problem.contains("itl: ") || problem.contains("output_tokens: r")).collect()
    }

    #[test]
    fn what_the_account_lacks_is_found_in_the_file_and_in_the_directory() {
        assert_eq!(problems(&[5_000_000, 7_000_000], |_| ()), Vec::<String>::new());
        let found = problems(&[5_000_000], |_| ());
        assert!(found.contains(&"itl: the count: recorded 2, the account has 1".to_owned()), "{found:?}");
        let together = "the directory: itl: the count: recorded 2, the account has 1".to_owned();
        assert!(found.contains(&together), "{found:?}");
    }

    #[test]
    fn a_total_that_is_falsified_in_the_file_is_found() {
        let found = problems(&[5_000_000, 7_000_000], |path| {
            let bytes = fs::read(path).unwrap();
            let mut words = bytes.chunks_exact(8);
            let at = words.position(|word| word == TOKENS.to_ne_bytes()).unwrap() as u64 * 8;
            let file = fs::OpenOptions::new().write(true).open(path).unwrap();
            file.write_all_at(&(TOKENS + 1).to_ne_bytes(), at).unwrap();
        });
        let false_total = format!("num_output_tokens: recorded Some({}), the account has Some({TOKENS})", TOKENS + 1);
        assert_eq!(found, [false_total.clone(), format!("the directory: {false_total}")]);
    }

    #[test]
    fn the_directory_goes_when_it_is_done_with() {
        let outside = Outside::new().unwrap();
        let path = outside.0.clone();
        let registry = outside.builder().build().unwrap();
        assert!(registry.segment().unwrap().unwrap().starts_with(&path));
        drop(outside);
        assert!(!path.exists());
    }
}
