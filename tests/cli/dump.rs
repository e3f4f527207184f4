//! `tach dump`.

use super::support::{Dir, TIMES, assert_golden, patch, printed, recorded, tach};
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

/// Words of a segment's header.
const STATE: usize = 64;
const RECORDS: usize = 67;

#[test]
fn a_table_says_who_it_was_and_what_it_recorded() {
    let dir = Dir::new("table");
    let text = printed(&["dump", &dir.write("worker", &recorded())]);
    let (who, rest) = text.split_once('\n').unwrap();
    assert_eq!(who, format!("worker, pid {}: closed", std::process::id()));
    // Where and when it was differs from run to run.
    let heads = ["  file ", "  created ", "  last beat "];
    let head = |line| heads.into_iter().find(|head| str::starts_with(line, head)).unwrap_or(line);
    let masked: Vec<&str> = rest.lines().map(head).collect();
    assert_golden("table.txt", &masked.join("\n"));
}

#[test]
fn a_text_is_the_page_of_the_process() {
    let dir = Dir::new("text");
    let snapshot = recorded();
    let text = printed(&["dump", "--format", "text", &dir.write("worker", &snapshot)]);
    assert_eq!(text, tach::text::render(&snapshot));
    assert_golden("text.txt", &text);
}

#[test]
fn json_has_all_of_it() {
    let dir = Dir::new("json");
    let path = dir.write("worker", &recorded());
    let mut json: Value = serde_json::from_str(&printed(&["dump", "--format", "json", &path])).unwrap();
    let segment = &mut json["segments"][0];
    assert_eq!(segment["path"], Value::from(path));
    assert_eq!(segment["id"].as_str().unwrap().len(), 32);
    assert!(segment["beat_age_seconds"].as_f64().unwrap() < 600.0);
    for masked in ["path", "id", "pid", "created", "beat", "beat_age_seconds", "bytes"] {
        segment[masked].take();
    }
    // The buckets of a hundred values would fill the page; here they are held against what they are of.
    for series in segment["series"].as_array_mut().unwrap() {
        let Some(count) = series["count"].as_u64() else { continue };
        let buckets = series["buckets"].take();
        let buckets = buckets.as_array().unwrap();
        assert_eq!(buckets.iter().map(|bucket| bucket[2].as_u64().unwrap()).sum::<u64>(), count);
        let ends = buckets.iter().map(|bucket| (bucket[0].as_f64().unwrap(), bucket[1].as_f64().unwrap()));
        let ends: Vec<_> = ends.collect();
        assert!(ends.iter().all(|(low, high)| low <= high) && ends.windows(2).all(|two| two[0].1 < two[1].0));
        if count > 0 {
            let max = series["max"].as_f64().unwrap();
            let last = ends.last().unwrap();
            assert!((last.0..=last.1).contains(&max), "{max} is not in {last:?}");
        }
    }
    assert_golden("object.json", &(serde_json::to_string_pretty(&json).unwrap() + "\n"));
}

#[test]
fn a_log_is_read_back_by_hdrhistogram_with_equal_counts() {
    let dir = Dir::new("hlog");
    let snapshot = recorded();
    let text = printed(&["dump", "--format", "hlog", &dir.write("worker", &snapshot)]);
    let expected = [
        ("ns_never_tokens{gpu=0}", snapshot.histogram("never", &[])),
        ("ns_size_bytes{gpu=0;kind=image__big}", snapshot.histogram("size", &[("kind", "image, big")])),
        ("ns_wait_seconds{gpu=0}", snapshot.histogram("wait", &[])),
    ];
    let mut read = Vec::new();
    for entry in IntervalLogIterator::new(text.as_bytes()) {
        if let LogEntry::Interval(interval) = entry.unwrap() {
            let bytes = unbase64(interval.encoded_histogram());
            let histogram: Histogram<u64> = Deserializer::new().deserialize(&mut &bytes[..]).unwrap();
            read.push((interval.tag().unwrap().as_str().to_owned(), histogram));
        }
    }
    assert_eq!(read.len(), expected.len(), "{text}");
    for ((tag, histogram), (expected_tag, expected)) in read.iter().zip(expected) {
        let expected = expected.unwrap().to_hdr();
        assert_eq!((tag.as_str(), histogram.len()), (expected_tag, expected.len()));
        let all = |of: &Histogram<u64>| {
            of.iter_recorded().map(|step| (step.value_iterated_to(), step.count_at_value())).collect::<Vec<_>>()
        };
        assert_eq!(all(histogram), all(&expected), "{tag}");
    }
    assert_eq!(read[2].1.len(), TIMES);
    // The rest of each line, with times and the histograms themselves masked.
    let mask = |line: &str| match line.split(',').collect::<Vec<_>>()[..] {
        [tag, _, _, max, _] => format!("{tag},START,LENGTH,{max},HISTOGRAM"),
        _ => line.split(": ").next().unwrap().to_owned(),
    };
    assert_golden("log.hlog", &text.lines().map(mask).collect::<Vec<_>>().join("\n"));
}

#[test]
fn exemplars_lead_to_their_traces() {
    use tach::{Recording, Registry, SpanContext, Unit};
    let dir = Dir::in_memory("exemplars");
    let registry = Registry::builder().recording(Recording::Process).segment_dir(dir.path("")).build().unwrap();
    let tokens = registry.counter("tokens").labels(["model"]).exemplars().build().unwrap();
    let wait = registry.histogram("wait").unit(Unit::Seconds).buckets([0.01, 0.1]).exemplars().build().unwrap();
    let span = |n: u8| SpanContext::new([n; 16], [n + 1; 8]).unwrap();
    tokens.with(["a"]).add_with_exemplar(3, &span(0xa0));
    tokens.with(["b"]).add(5);
    wait.record_with_exemplar(2_500_000, &span(0xb0));
    wait.record_with_exemplar(30_000_000, &span(0xc0));
    let (a, b, c) =
        (("a0".repeat(16), "a1".repeat(8)), ("b0".repeat(16), "b1".repeat(8)), ("c0".repeat(16), "c1".repeat(8)));

    let path = registry.segment().unwrap().unwrap().to_str().unwrap().to_owned();
    let json: Value = serde_json::from_str(&printed(&["dump", "-f", "json", &path])).unwrap();
    let of = |exposed: &str, model: Option<&str>| {
        let series = json["segments"][0]["series"].as_array().unwrap();
        let is = |one: &&Value| one["exposed"] == exposed && one["labels"]["model"].as_str() == model;
        series.iter().find(is).unwrap()["exemplars"].clone()
    };
    let known = |exemplars: &Value| -> Vec<Value> {
        let times = exemplars.as_array().unwrap().iter().map(|one| one["time"].as_str().unwrap());
        assert!(times.clone().all(|time| time.ends_with('Z') && time.len() == "2026-01-31T12:00:00.000Z".len()));
        let ids = |one: &Value| serde_json::json!([one["value"], one["trace_id"], one["span_id"]]);
        exemplars.as_array().unwrap().iter().map(ids).collect()
    };
    assert_eq!(known(&of("tokens_total", Some("a"))), [serde_json::json!([3, a.0, a.1])]);
    assert_eq!(of("tokens_total", Some("b")), Value::Null);
    let waits = [serde_json::json!([0.0025, b.0, b.1]), serde_json::json!([0.03, c.0, c.1])];
    assert_eq!(known(&of("wait_seconds", None)), waits);

    let text = printed(&["dump", &path]);
    let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
    let head = rows.iter().position(|row| *row == ["EXEMPLAR", "VALUE", "TIME", "TRACE", "SPAN"]).unwrap();
    let shown: Vec<_> = rows[head + 1..].iter().map(|row| [row[0], row[1], row[3], row[4]]).collect();
    let expected = [
        ["tokens_total{model=\"a\"}", "3", &a.0, &a.1],
        ["wait_seconds", "0.0025", &b.0, &b.1],
        ["wait_seconds", "0.03", &c.0, &c.1],
    ];
    assert_eq!(shown, expected, "{text}");
}

fn unbase64(text: &str) -> Vec<u8> {
    let digits = text.trim_end_matches('=').bytes().map(|byte| match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => panic!("{text}"),
    });
    let bits: Vec<u8> = digits.flat_map(|digit| (0..6).rev().map(move |bit| digit >> bit & 1)).collect();
    bits.chunks_exact(8).map(|bits| bits.iter().fold(0, |byte, bit| byte << 1 | bit)).collect()
}

#[test]
fn metrics_are_chosen_by_either_name() {
    let dir = Dir::new("metric");
    let path = dir.write("worker", &recorded());
    let text = printed(&["dump", "-f", "text", "-m", "running", "-m", "ns_usage_ratio", &path]);
    let names: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(names, ["ns_running{gpu=\"0\"} -3", "ns_usage_ratio{gpu=\"0\"} 0.45"]);
    let output = tach(&["dump", "-m", "runing", &path]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("no series of a metric \"runing\""));
}

#[test]
fn a_directory_is_read_in_turn_and_what_cannot_be_does_not_stop_the_others() {
    let dir = Dir::new("several");
    for name in ["b", "a"] {
        dir.write(name, &recorded());
    }
    std::fs::write(dir.path("c.tach"), "no segment").unwrap();
    std::fs::write(dir.path(".d.tach"), "not finished").unwrap();
    std::fs::write(dir.path("notes"), "something else").unwrap();
    let output = tach(&["dump", "--format", "json", &dir.path("")]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("c.tach") && !said.contains("d.tach"), "{said}");
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    let names: Vec<&Value> = json["segments"].as_array().unwrap().iter().map(|segment| &segment["name"]).collect();
    assert_eq!(names, ["a", "b"]);
    assert!(json["errors"][0]["path"].as_str().unwrap().ends_with("c.tach"));
    assert_eq!(json["errors"].as_array().unwrap().len(), 1);

    let tags = tach(&["dump", "--format", "hlog", &dir.path("")]).stdout;
    assert!(String::from_utf8(tags).unwrap().contains("\nTag=b["));
}

#[test]
fn of_one_that_died_the_torn_recording_is_named() {
    let dir = Dir::new("torn");
    let path = dir.write("worker", &recorded());
    patch(&path, |at, word| match (at, word) {
        (STATE, _) => 1,
        // The count: the bucket has one more.
        (_, TIMES) => TIMES - 1,
        _ => word,
    });
    let text = printed(&["dump", &path]);
    assert!(text.starts_with("worker, pid "), "{text}");
    assert!(text.lines().next().unwrap().ends_with(": died"), "{text}");
    assert!(text.contains("  torn       wait in shard 0: 1 in the buckets beyond the count\n"), "{text}");
    let json: Value = serde_json::from_str(&printed(&["dump", "-f", "json", &path])).unwrap();
    let segment = &json["segments"][0];
    assert_eq!(segment["life"], "died");
    assert_eq!(segment["torn"], serde_json::json!([{"metric": "wait", "labels": {}, "shard": 0, "ahead": 1}]));
}

#[test]
fn faults_are_told_in_every_format_and_by_the_exit_status() {
    let dir = Dir::new("faults");
    let path = dir.write("worker", &recorded());
    patch(&path, |at, word| if at == RECORDS { word + 1_000 } else { word });
    for format in ["table", "text", "json", "hlog"] {
        let output = tach(&["dump", "--format", format, &path]);
        assert_eq!(output.status.code(), Some(2), "{format}");
        let (out, said) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
        match format {
            "table" => assert!(out.contains("\n  fault      "), "{out}"),
            "json" => {
                let json: Value = serde_json::from_str(&out).unwrap();
                assert_eq!(json["segments"][0]["faults"].as_array().unwrap().len(), 1);
            }
            _ => assert!(said.starts_with(&format!("tach: {path}: ")), "{said}"),
        }
        assert!(out.contains("wait"), "what can be read is there: {out}");
    }
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let dir = Dir::new("pipe");
    let snapshot = recorded();
    // More than a pipe holds.
    (0..60).for_each(|n| drop(dir.write(&format!("w{n}"), &snapshot)));
    let mut child = Command::new(env!("CARGO_BIN_EXE_tach"))
        .args(["dump", "--format", "json", &dir.path("")])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut start = [0; 10];
    std::io::Read::read_exact(&mut child.stdout.take().unwrap(), &mut start).unwrap();
    assert_eq!(&start, b"{\"segments");
    let said: Vec<String> = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap).collect();
    assert_eq!((child.wait().unwrap().code(), said), (Some(0), Vec::new()));
}
