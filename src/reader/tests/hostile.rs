//! Segments that lie, each in one way.

use super::*;
use crate::ErrorKind;
use crate::reader::{Life, Segment};
use std::os::unix::ffi::OsStrExt;

/// What opening gives for a file with these bytes.
fn refused(folder: &Folder, bytes: &[u8]) -> String {
    let path = folder.file("refused.tach");
    std::fs::write(&path, bytes).unwrap();
    let error = Segment::open(&path).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Segment, "{error}");
    error.to_string()
}

#[test]
fn what_is_no_segment_is_refused_with_the_reason() {
    let folder = Folder::new("refused");
    let made = Made::new(&room(8), 8);
    let changed = |index: usize, value: u64, seal: bool| {
        let mut made = made.clone();
        made.0[index] = value;
        if seal {
            made.seal();
        }
        refused(&folder, &made.bytes())
    };
    assert!(refused(&folder, b"").contains("too few"));
    assert!(refused(&folder, &made.bytes()[..4096]).contains("too few"));
    assert!(changed(header::MAGIC, 0, false).contains("never finished"));
    assert!(changed(header::MAGIC, MAGIC.swap_bytes(), false).contains("byte order"));
    assert!(changed(header::MAGIC, 1, false).contains("does not begin"));
    assert!(changed(header::VERSION, 2 << 32, true).contains("version 2.0"));
    assert!(changed(header::PID, 7, false).contains("check word"));
    for bytes in [0, 8, 4088, 4097, u64::MAX, 1 << 60, 4096 + 8 * (BLOCK_WORDS as u64 + 8)] {
        assert!(changed(header::BYTES, bytes, true).contains("damaged"), "{bytes}");
    }
    // Of a later minor version, with a record of a later kind: as if it were not there.
    let later = vec![99 << 32 | 3, 1, 12];
    let known = metric(1, "a").to_words(state::LIVE).unwrap();
    let mut later = Made::of_words(&[later, known].concat(), 2, 8);
    later.0[header::VERSION] |= 7;
    later.seal();
    let reading = later.read(&folder);
    assert_eq!((reading.faults.len(), reading.snapshot.families().len()), (0, 1));
    assert_eq!(reading.info.life, Life::Died);
}

#[test]
fn only_regular_files_are_opened() {
    let folder = Folder::new("files");
    let kind = |path: &Path| Segment::open(path).unwrap_err().kind();
    assert_eq!(kind(&folder.0), ErrorKind::Segment);
    assert_eq!(kind(&folder.file("none.tach")), ErrorKind::System);
    assert_eq!(kind(Path::new("/dev/zero")), ErrorKind::Segment);
    std::fs::write(folder.file("real.tach"), Made::new(&room(8), 8).bytes()).unwrap();
    std::os::unix::fs::symlink(folder.file("real.tach"), folder.file("link.tach")).unwrap();
    assert_eq!(kind(&folder.file("link.tach")), ErrorKind::System);
    // Nobody is at the other end.
    let pipe = folder.file("pipe.tach");
    let made =
        std::process::Command::new("mkfifo").arg(std::ffi::OsStr::from_bytes(pipe.as_os_str().as_bytes())).status();
    assert!(made.unwrap().success());
    assert_eq!(kind(&pipe), ErrorKind::Segment);
    let _socket = std::os::unix::net::UnixListener::bind(folder.file("socket.tach")).unwrap();
    assert_eq!(kind(&folder.file("socket.tach")), ErrorKind::System);
}

/// The faults of a segment with these records behind [`room`] of 64 cells, and of 32 more.
fn faults(test: &str, records: Vec<Record>) -> (Reading, String) {
    let folder = Folder::new(test);
    let records = [room(64), records].concat();
    let reading = Made::new(&records, 96).cells(0, &[7; 96]).read(&folder);
    let faults = reading.faults.join("\n");
    (reading, faults)
}

#[test]
fn values_are_those_of_all_copies() {
    let records = vec![
        copy(0, 3, CELLS + 8 * 64),
        extent(2),
        copy(3, 0, CELLS + 8 * 66),
        metric(1, "a"),
        series(5, 3, 1, 0),
        metric(3, "b"),
        series(7, 3, 0, 0),
    ];
    let (reading, told) = faults("copies", records);
    // The second copy of the large extent goes beyond the file.
    assert!(told.contains("a copy of 64 cells"), "{told}");
    assert_eq!(reading.snapshot.counter("a", &[]), Some(7));
    assert_eq!(reading.snapshot.gauge("b", &[]), Some(7.0));
    let (reading, told) = faults(
        "copies",
        vec![extent(16), copy(2, 9, CELLS + 8 * 64), copy(2, 2, CELLS + 8 * 80), metric(1, "a"), series(5, 2, 3, 0)],
    );
    assert_eq!((reading.snapshot.counter("a", &[]), &*told), (Some(14), ""));
}

#[test]
fn what_is_no_place_is_left_out() {
    for (what, records) in [
        ("is no extent", vec![copy(9, 0, CELLS)]),
        ("is no extent", vec![copy(u64::MAX, 0, CELLS)]),
        ("does not have", vec![extent(1 << 60), copy(2, 0, CELLS)]),
        ("does not have", vec![extent(u64::MAX), copy(2, 0, 0)]),
        ("does not have", vec![extent(1), copy(2, 0, u64::MAX - 7)]),
        ("does not have", vec![extent(1), copy(2, 0, CELLS + 8 * 64 + 4)]),
        ("something else is", vec![extent(1), copy(2, 0, CELLS + 8 * 63)]),
        ("something else is", vec![extent(80), copy(2, 0, CELLS + 8)]),
        ("something else is", vec![extent(1), copy(2, 0, 0)]),
        ("something else is", vec![extent(1), copy(2, 0, HEADER_BYTES + 800)]),
        ("second shared copy", vec![extent(1), copy(2, 0, CELLS + 8 * 64), copy(2, 0, CELLS + 8 * 65)]),
        ("is no metric", vec![series(0, 0, 0, 0)]),
        ("is no metric", vec![series(1 << 60, 0, 0, 0)]),
        ("is no extent", vec![metric(1, "a"), series(2, 2, 0, 0)]),
        ("beyond the end", vec![metric(1, "a"), series(2, 0, 64, 0)]),
        ("beyond the end", vec![metric(1, "a"), series(2, 0, u64::MAX, 0)]),
        ("beyond the end", vec![metric(5, "a"), series(2, 0, 0, 8)]),
        ("beyond the end", vec![metric(5, "a"), series(2, 0, 57, 0)]),
        ("without cells", vec![extent(1 << 60), metric(1, "a"), series(3, 2, 1 << 59, 0)]),
        ("without cells", vec![extent(8), copy(2, 1, CELLS + 8 * 64), metric(4, "a"), series(4, 2, 0, 0)]),
        ("cells of another", vec![metric(1, "a"), metric(1, "b"), series(2, 0, 4, 0), series(3, 0, 4, 0)]),
        ("a series twice", vec![metric(1, "a"), series(2, 0, 4, 0), series(2, 0, 5, 0)]),
        (
            "label values",
            vec![
                metric(1, "a"),
                Record::Series(SeriesRecord { metric: 2, values: vec![String::new()], ..SeriesRecord::default() }),
            ],
        ),
        ("which another metric has", vec![metric(1, "a"), metric(5, "a")]),
        ("which another metric has", vec![metric(5, "a"), metric(4, "a_sum")]),
    ] {
        let (reading, told) = faults("places", records.clone());
        assert!(told.contains(what), "{what}: {told:?} of {records:?}");
        assert!(told.lines().count() == 1, "{told}");
        assert!(reading.snapshot.families().len() <= 2);
    }
}

#[test]
fn descriptions_that_no_format_carries_are_left_out() {
    let made = |change: &dyn Fn(&mut MetricRecord)| {
        let Record::Metric(mut record) = metric(5, "a") else { unreachable!() };
        change(&mut record);
        vec![Record::Metric(record)]
    };
    let text = str::to_owned;
    for records in [
        made(&|record| record.kind = 0),
        made(&|record| record.kind = 6),
        made(&|record| record.aggregate = 5),
        made(&|record| record.level = 3),
        made(&|record| record.name = text("a b")),
        made(&|record| record.name = text("")),
        made(&|record| record.base = text("a\nb 1")),
        made(&|record| record.base = text("")),
        made(&|record| record.base = text("1a")),
        made(&|record| record.base = "a".repeat(601)),
        made(&|record| record.dotted = text("a\0b")),
        made(&|record| record.unit = text("se\"conds")),
        made(&|record| record.labels = vec![text("le")]),
        made(&|record| record.labels = vec![text("a"), text("a")]),
        made(&|record| record.labels = vec![text("a\"} 1\n")]),
        made(&|record| (record.utf8, record.labels) = (true, vec![text("a.b"), text("a_b")])),
        made(&|record| (record.kind, record.base) = (1, text("a_total"))),
        made(&|record| (record.kind, record.base) = (2, text("_"))),
        made(&|record| record.const_labels = vec![text("a")]),
        made(&|record| record.const_labels = vec![text("__a"), text("b")]),
        made(&|record| (record.labels, record.const_labels) = (vec![text("a")], vec![text("a"), text("b")])),
        made(&|record| record.grid = None),
        made(&|record| record.grid.as_mut().unwrap().resolution = 9),
        made(&|record| record.grid.as_mut().unwrap().limit = u64::MAX),
        made(&|record| record.grid.as_mut().unwrap().tick = -1.0),
        made(&|record| record.grid.as_mut().unwrap().bounds = vec![f64::NAN]),
    ] {
        let (reading, told) = faults("described", records.clone());
        assert!(told.starts_with("record 2: ") && told.lines().count() == 1, "{told:?} of {records:?}");
        assert_eq!(reading.snapshot.families().len(), 0);
    }
}

#[test]
fn numbers_that_no_writer_leaves_do_no_harm() {
    let folder = Folder::new("numbers");
    let float = |value: f64| {
        let records = [room(8), vec![metric(2, "a"), series(2, 0, 0, 0)]].concat();
        let reading = Made::new(&records, 8).cells(0, &[value.to_bits()]).read(&folder);
        (reading.snapshot.float_counter("a", &[]), reading.faults.len())
    };
    assert_eq!([float(-1.0), float(f64::NAN), float(0.5)], [(None, 1), (None, 1), (Some(0.5), 0)]);
    assert_eq!(float(f64::INFINITY), (Some(f64::MAX), 0));
    assert_eq!(float(-0.0).0.map(f64::to_bits), Some(0));
    // Count, sum, largest, complement of the smallest, two of the writer's, clamped, one of the writer's; buckets.
    let records = [room(256), vec![metric(5, "a"), series(2, 0, 0, 8)]].concat();
    let read =
        |header: [u64; 8], buckets: &[u64]| Made::new(&records, 256).cells(0, &header).cells(8, buckets).read(&folder);
    let histogram = |reading: &Reading| {
        let found = reading.snapshot.histogram("a", &[])?;
        Some((found.count(), found.sum(), found.min(), found.max(), found.is_exact()))
    };
    let fine = read([2, 3, 2, !1, 0, 0, 0, 0], &[0, 1, 1]);
    assert_eq!((histogram(&fine), fine.torn.len()), (Some((2, 3.0, 1.0, 2.0, true)), 0));
    // Killed in the third, and in the first.
    let torn = read([2, 3, 3, !1, 0, 0, 0, 0], &[0, 1, 1, 1]);
    assert_eq!((histogram(&torn), torn.torn[0].ahead), (Some((3, 3.0, 1.0, 3.0, false)), 1));
    let first = read([0, 0, 3, !3, 0, 0, 0, 0], &[0, 0, 0, 1]);
    assert_eq!((first.snapshot.histogram("a", &[]).unwrap().count(), first.torn[0].ahead), (0, 1));
    // Buckets that lack what the count has; a range the wrong way round, or beyond the layout.
    let lacks = read([9, 3, 2, !1, 0, 0, 0, 0], &[0, 1, 1]);
    assert_eq!((lacks.torn.len(), lacks.faults.len()), (0, 1));
    assert_eq!(read([2, 3, 1, !90, 0, 0, 0, 0], &[0, 1, 1]).faults.len(), 1);
    let wide = read([2, u64::MAX, u64::MAX, u64::MAX, 0, 0, u64::MAX, 0], &[0, 1, 1]);
    assert_eq!(histogram(&wide), Some((2, u64::MAX as f64, 1.0, 2.0, true)));
    // The top bit is no part of a bucket, and so many values are none.
    assert_eq!(read([1, 0, 100, !0, 0, 0, 0, 0], &[1 << 63 | 1]).snapshot.histogram("a", &[]).unwrap().count(), 1);
    let many = read([u64::MAX - 1, 0, 100, !0, 0, 0, 0, 0], &[i64::MAX as u64, i64::MAX as u64]);
    assert_eq!((histogram(&many), many.faults.len()), (None, 1));
    let all = read([u64::MAX; 8], &[u64::MAX; 100]);
    assert_eq!((histogram(&all), all.faults.is_empty()), (None, false));
}

#[test]
fn a_directory_that_leads_nowhere_ends() {
    let folder = Folder::new("nowhere");
    let base = Made::new(&[room(8), vec![metric(1, "a"), series(2, 0, 0, 0)]].concat(), 4096).cells(0, &[5]);
    let with = |change: &dyn Fn(&mut Vec<u64>)| {
        let mut made = base.clone();
        change(&mut made.0);
        made.read(&folder)
    };
    let fine = with(&|_| {});
    assert_eq!((fine.snapshot.counter("a", &[]), fine.faults.len()), (Some(5), 0));
    // More records than there are, and blocks that lie in themselves, in the header, in a copy, beyond the end.
    for next in [0, 1, 8, 4096, 8192, CELLS, CELLS + 8 * 4096, 1 << 60, u64::MAX, u64::MAX - 7] {
        let reading = with(&|words| {
            words[header::RECORDS] = u64::MAX;
            words[HEADER_WORDS + block::NEXT] = next;
        });
        assert_eq!((reading.snapshot.counter("a", &[]), reading.faults.len()), (Some(5), 1), "{next}");
    }
    // Two blocks that name each other.
    let reading = with(&|words| {
        words[header::RECORDS] = 1 << 60;
        words[HEADER_WORDS + block::NEXT] = CELLS + 4096;
        let second = HEADER_WORDS + BLOCK_WORDS + 512;
        words[second..second + 2].copy_from_slice(&[HEADER_BYTES, 4096]);
        words[second + 2..second + 5].copy_from_slice(&[u64::from(kind::FOLDED) << 32 | 4, 1, 8]);
    });
    assert_eq!((reading.folded, reading.faults.len()), (vec![[8, 0]], 1));
    for bytes in [0, 8, 16, 1 << 60, u64::MAX] {
        let reading = with(&|words| words[HEADER_WORDS + block::BYTES] = bytes);
        assert_eq!((reading.snapshot.families().len(), reading.faults.len()), (0, 1), "{bytes}");
    }
    // A record that goes beyond its block, and one of no length.
    for head in [1 << 32 | 2000, 1 << 32, 1 << 32 | u64::from(u32::MAX)] {
        let reading = with(&|words| words[HEADER_WORDS + block::WORDS] = head);
        assert_eq!(reading.faults.len(), 1);
    }
}

#[test]
fn text_far_larger_than_the_file_is_not_made() {
    let folder = Folder::new("text");
    let Record::Metric(record) = metric(1, "a") else { unreachable!() };
    let constant = vec!["zone".to_owned(), "x".repeat(7000)];
    let mut records = room(2000);
    records.push(Record::Metric(Box::new(MetricRecord {
        const_labels: constant,
        labels: vec!["l".to_owned()],
        ..*record
    })));
    let each =
        |index: u64| SeriesRecord { metric: 2, front: index, values: vec![index.to_string()], ..Default::default() };
    let words: Vec<_> = records
        .iter()
        .chain(&(0..8).map(|i| Record::Series(each(i))).collect::<Vec<_>>())
        .flat_map(|record| record.to_words(state::LIVE).unwrap())
        .collect();
    assert!(words.len() <= BLOCK_WORDS - 8, "{}", words.len());
    let few = Made::of_words(&words, 11, 2000).read(&folder);
    assert_eq!((few.faults.len(), few.snapshot.families()[0].labels.sets.len()), (0, 8));
    // As many series as need blocks of their own: some hundred bytes each, and a line of seven thousand.
    let mut made = Made::of_words(&words, 11, 2000);
    let start = made.0.len();
    made.0[HEADER_WORDS + block::NEXT] = 8 * start as u64;
    let more: Vec<u64> = (8..1990).flat_map(|i| Record::Series(each(i)).to_words(state::LIVE).unwrap()).collect();
    made.0.extend([0, 8 * (more.len() as u64 + 2)]);
    made.0.extend(&more);
    made.0[header::RECORDS] = 11 + 1982;
    let many = made.read(&folder);
    assert_eq!((many.faults.len(), many.snapshot.families()[0].labels.sets.len()), (1, 0), "{:?}", many.faults);
    assert!(render(&many) < 8 * made.0.len());
}
