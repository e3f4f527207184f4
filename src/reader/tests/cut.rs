//! Files that change while they are read: cut, grown, written.

use super::*;
use crate::reader::Segment;
use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::sync::mpsc;

/// A segment with a counter and a histogram in each of so many copies, each some pages from the others.
fn large(path: &Path, copies: u64) -> u64 {
    let mut records = vec![extent(1024)];
    records.extend((0..copies).map(|shard| copy(0, shard, CELLS + 8 * 1024 * shard)));
    let metric_number = records.len() as u64;
    records.extend([
        metric(1, "a"),
        series(metric_number, 0, 0, 0),
        metric(5, "b"),
        series(metric_number + 2, 0, 8, 16),
    ]);
    let mut made = Made::new(&records, 1024 * copies as usize);
    for shard in 0..copies as usize {
        made = made.cells(1024 * shard, &[1]).cells(1024 * shard + 8, &[1, 1, 1, !1]).cells(1024 * shard + 17, &[1]);
    }
    let bytes = made.bytes();
    std::fs::write(path, &bytes).unwrap();
    bytes.len() as u64
}

#[test]
fn a_file_that_was_cut_is_an_error() {
    let folder = Folder::new("cut");
    let path = folder.file("one.tach");
    let len = large(&path, 16);
    let file = OpenOptions::new().write(true).open(&path).unwrap();
    for cut in [0, 100, 4096, 12_288, len - 8192, len - 8, len - 1] {
        large(&path, 16);
        let mut opened = Segment::open(&path).unwrap();
        let mut used = Segment::open(&path).unwrap();
        assert_eq!(used.read().unwrap().snapshot.counter("a", &[]), Some(16));
        file.set_len(cut).unwrap();
        for segment in [&mut opened, &mut used] {
            assert!(segment.info().is_err(), "{cut}");
            for _ in 0..2 {
                let error = segment.read().unwrap_err().to_string();
                assert!(error.contains("was truncated while it was read"), "{error}");
            }
        }
        // Others of this process are as they were.
        file.set_len(len).unwrap();
        large(&path, 16);
        assert_eq!(Segment::open(&path).unwrap().read().unwrap().snapshot.counter("a", &[]), Some(16));
    }
}

#[test]
fn a_file_may_be_cut_at_any_moment() {
    let folder = Folder::new("cuts");
    let path = folder.file("one.tach");
    let len = large(&path, 16);
    let bytes = std::fs::read(&path).unwrap();
    let file = OpenOptions::new().write(true).open(&path).unwrap();
    let (sender, stop) = mpsc::channel::<()>();
    let cutter = std::thread::spawn(move || {
        let mut cut = 0;
        while stop.try_recv() == Err(mpsc::TryRecvError::Empty) {
            cut = (cut + 7919) % len;
            file.set_len(cut).unwrap();
            file.write_all_at(&bytes, 0).unwrap();
        }
    });
    let (mut read, mut refused) = (0, 0);
    while read < 300 || refused < 300 {
        let mut segment = match Segment::open(&path) {
            Ok(segment) => segment,
            Err(_) => {
                refused += 1;
                continue;
            }
        };
        for _ in 0..4 {
            match segment.read() {
                Ok(reading) => {
                    render(&reading);
                    read += 1;
                }
                Err(_) => refused += 1,
            }
        }
    }
    drop(sender);
    cutter.join().unwrap();
}

#[test]
fn what_is_published_later_is_found() {
    let folder = Folder::new("grown");
    let path = folder.file("one.tach");
    let made = Made::new(&[room(8), vec![metric(1, "a"), series(2, 0, 0, 0)]].concat(), 8).cells(0, &[5]);
    std::fs::write(&path, made.bytes()).unwrap();
    let file = OpenOptions::new().write(true).open(&path).unwrap();
    let put = |word: usize, words: &[u64]| {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        file.write_all_at(&bytes, 8 * word as u64).unwrap();
    };
    let mut segment = Segment::open(&path).unwrap();
    let first = segment.read().unwrap().snapshot;
    // A second copy, in a part of the file that was not there, told in a block that was not there.
    let start = HEADER_WORDS + BLOCK_WORDS + 8;
    let cells = start + 512;
    let records = [copy(0, 1, 8 * cells as u64), metric(4, "b"), series(5, 0, 1, 0)];
    let words: Vec<u64> = records.iter().flat_map(|record| record.to_words(state::LIVE).unwrap()).collect();
    put(cells, &[7, 0, 0, 0, 0, 0, 0, 0]);
    put(start, &[0, 4096]);
    put(start + 2, &words);
    put(HEADER_WORDS + block::NEXT, &[8 * start as u64]);
    put(header::RECORDS, &[5]);
    let second = segment.read().unwrap().snapshot;
    assert_eq!((first.counter("a", &[]), second.counter("a", &[])), (Some(5), Some(12)));
    assert_eq!(second.families().len(), 1);
    put(header::RECORDS, &[7]);
    put(HEADER_WORDS + BLOCK_WORDS + 1, &[2.5_f64.to_bits()]);
    let third = segment.read().unwrap();
    assert_eq!((third.snapshot.gauge("b", &[]), third.faults.len()), (Some(2.5), 0));
    // What it had is the same as before, in memory too.
    let labels = |snapshot: &crate::Snapshot| std::sync::Arc::as_ptr(&snapshot.family("a").unwrap().labels);
    assert_eq!([labels(&first), labels(&second)], [labels(&third.snapshot); 2]);
    // Switched off and on; removed, and its cells another's.
    let at = |number: usize| {
        let room: usize = room(8).iter().map(|record| record.to_words(1).unwrap().len()).sum();
        let metric = metric(1, "a").to_words(1).unwrap().len();
        HEADER_WORDS + block::WORDS + room + [0, metric][number] + 1
    };
    put(at(0), &[state::HIDDEN]);
    assert_eq!(segment.read().unwrap().snapshot.families().len(), 1);
    put(at(0), &[state::LIVE]);
    put(at(1), &[state::REMOVED]);
    let new = start + 2 + words.len();
    put(new, &series(2, 0, 0, 0).to_words(state::LIVE).unwrap());
    put(header::RECORDS, &[8]);
    let last = segment.read().unwrap();
    assert_eq!((last.snapshot.counter("a", &[]), last.faults.len()), (Some(12), 0));
    // It is a new series.
    let set = |snapshot: &crate::Snapshot| std::sync::Arc::as_ptr(&snapshot.family("a").unwrap().labels.sets[0]);
    assert_ne!(set(&last.snapshot), set(&third.snapshot));
    // Fewer records than there were: a fault, and no less than before.
    put(header::RECORDS, &[1]);
    let fewer = segment.read().unwrap();
    assert_eq!((fewer.snapshot.counter("a", &[]), fewer.faults.len()), (Some(12), 1));
}

#[test]
fn a_lock_tells_life() {
    use crate::reader::Life;
    let folder = Folder::new("life");
    let path = folder.file("one.tach");
    let mut made = Made::new(&room(8), 8);
    made.0[header::INTERVAL] = 1_000_000_000;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as u64;
    let life = |beat: u64, state: u64, locked: bool| {
        let mut made = made.clone();
        (made.0[header::BEAT], made.0[header::STATE]) = (beat, state);
        made.seal();
        std::fs::write(&path, made.bytes()).unwrap();
        // By another open file of this process: what a lock of the same process by `fcntl` would not show.
        let file = OpenOptions::new().read(true).write(true).open(&path).unwrap();
        let _lock = locked.then(|| crate::segment::system::lock(&file, true).unwrap());
        Segment::open(&path).unwrap().info().unwrap().life
    };
    assert_eq!(life(now, segment::OPEN, false), Life::Died);
    assert_eq!(life(now, segment::CLOSED, false), Life::Closed);
    assert_eq!(life(now, segment::OPEN, true), Life::Running);
    assert_eq!(life(now - 60_000_000_000, segment::OPEN, true), Life::Stuck);
    assert_eq!(life(now + 60_000_000_000, segment::OPEN, true), Life::Running);
}
