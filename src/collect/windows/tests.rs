//! Windows at hand-made times, against plain lists of what was recorded.

use super::Windows;
use crate::{ErrorKind, Family, Histogram, Level, Registry, Snapshot, Unit, text};
use proptest::collection::vec;
use proptest::proptest;
use std::time::{Duration, Instant};

const LENGTHS: [Duration; 3] = [Duration::from_secs(10), Duration::from_secs(60), Duration::from_secs(300)];

/// Windows without a thread, and a clock for them.
pub(super) struct Hand {
    registry: Registry,
    pub(super) windows: Windows,
    start: Instant,
    now: Instant,
}

impl Hand {
    pub(super) fn new(registry: &Registry, names: &[&str]) -> Self {
        let windows = Windows::new(registry, names, &LENGTHS).unwrap();
        let start = windows.past.lock().before(Instant::now(), Duration::ZERO).unwrap().taken();
        Self { registry: registry.clone(), windows, start, now: start }
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
    }

    /// What the thread does.
    fn tick(&self) {
        let now = self.registry.histograms(|name| self.windows.names.has(name)).at(self.now);
        self.windows.past.lock().keep(&now);
    }

    /// A second at a time.
    pub(super) fn ticks(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.pass(Duration::from_secs(1));
            self.tick();
        }
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        self.registry.snapshot().at(self.now)
    }

    fn last(&self, length: Duration) -> Snapshot {
        self.windows.difference(&self.snapshot(), length).unwrap()
    }

    fn count(&self, labels: &[(&str, &str)]) -> Option<u64> {
        self.last(LENGTHS[0]).histogram("itl", labels).map(crate::HistogramSnapshot::count)
    }

    fn page(&self) -> String {
        text::render(&self.windows.show(&self.snapshot()))
    }
}

fn histogram(registry: &Registry) -> Histogram {
    registry.histogram("itl").unit(Unit::Seconds).build().unwrap()
}

fn family(registry: &Registry) -> Family<Histogram, 1> {
    registry.histogram("itl").unit(Unit::Seconds).labels(["model"]).build().unwrap()
}

proptest! {
    /// Steps of random length; in each values are recorded, and after some the thread comes by.
    #[test]
    fn a_window_has_the_values_since_its_beginning_and_no_others(
        steps in vec((0..20_000_u64, vec(1..10_000_000_000_u64, 0..4), 0..4_u8), 1..80),
        length in 0..400_000_u64,
    ) {
        let registry = Registry::new();
        let itl = histogram(&registry);
        // From before the start: in no window.
        itl.record(7);
        let mut hand = Hand::new(&registry, &["itl"]);
        // What is recorded is later than the start.
        hand.pass(Duration::from_millis(1));
        let (mut recorded, mut ticks, mut gap) = (Vec::new(), vec![hand.start], 0);
        for (time, values, tick) in steps {
            hand.pass(Duration::from_millis(time));
            for value in values {
                itl.record(value);
                recorded.push((hand.now, value));
            }
            let waited = hand.now - ticks[ticks.len() - 1];
            gap = gap.max(waited.as_millis());
            if tick > 0 {
                hand.tick();
                ticks.push(hand.now);
            }
            // What is recorded next is later.
            hand.pass(Duration::from_millis(1));
        }
        for length in LENGTHS.into_iter().chain([Duration::from_millis(length)]) {
            let window = hand.last(length);
            let elapsed = window.elapsed().unwrap();
            let begin = hand.now - elapsed;
            assert!(ticks.contains(&begin));
            // As long as it says, or since the start; and longer by a step and two gaps between ticks at most: what is
            // kept lies a step apart or, as the tick came late, a gap more, and the last tick is a gap ago.
            let next = LENGTHS.into_iter().find(|chosen| *chosen >= length).unwrap_or(LENGTHS[2]);
            assert!(elapsed >= length.min(LENGTHS[2]) || begin == hand.start || elapsed >= LENGTHS[2]);
            assert!(elapsed.as_millis() <= length.min(next).as_millis() + next.as_millis() / 10 + 2 * (gap + 1));

            let mut inside: Vec<u64> = recorded.iter().filter(|(at, _)| *at > begin).map(|(_, value)| *value).collect();
            inside.sort_unstable();
            let alone = Registry::new();
            let only = histogram(&alone);
            inside.iter().for_each(|value| only.record(*value));
            let (alone, found) = (alone.snapshot(), window.histogram("itl", &[]).unwrap());
            let only = alone.histogram("itl", &[]).unwrap();
            assert_eq!((found.count(), found.sum(), found.to_hdr()), (only.count(), only.sum(), only.to_hdr()));
            for q in [0.0, 0.5, 0.9, 0.99, 1.0] {
                let rank = ((q * inside.len() as f64).ceil() as usize).clamp(1, inside.len().max(1));
                match inside.get(rank - 1) {
                    None => assert!(found.quantile(q).is_nan()),
                    Some(&value) => {
                        let error = found.quantile(q) / (value as f64 * 1e-9) - 1.0;
                        assert!((-1e-9..=0.01).contains(&error), "{q}: {error} of {value}");
                    }
                }
            }
        }
        assert!(hand.windows.past.lock().len() <= 12 * LENGTHS.len());
    }
}

#[test]
fn what_is_kept_does_not_grow() {
    let registry = Registry::new();
    let itl = histogram(&registry);
    let mut hand = Hand::new(&registry, &["itl"]);
    for millis in [1, 50, 999, 1_000, 1_001, 6_500, 29_999, 86_400_000] {
        for _ in 0..5_000 {
            itl.record(millis);
            hand.pass(Duration::from_millis(millis));
            hand.tick();
            assert!(hand.windows.past.lock().len() <= 12 * LENGTHS.len(), "{millis} ms");
        }
    }
}

#[test]
fn values_leave_a_window_when_they_are_older_than_it() {
    let registry = Registry::new();
    let itl = histogram(&registry);
    let mut hand = Hand::new(&registry, &["itl"]);
    hand.ticks(30);
    itl.record(5);
    assert_eq!(hand.count(&[]), Some(1));
    hand.ticks(10);
    // A tick at the very moment of the recording was before it.
    assert_eq!(hand.count(&[]), Some(1));
    hand.ticks(1);
    assert_eq!(hand.count(&[]), Some(0));
    assert_eq!(hand.last(LENGTHS[1]).histogram("itl", &[]).unwrap().count(), 1);
    assert_eq!(hand.last(LENGTHS[0]).elapsed(), Some(LENGTHS[0]));
    // Beyond the longest.
    assert_eq!(hand.last(Duration::MAX).elapsed(), Some(Duration::from_secs(41)));
}

#[test]
fn series_come_and_go() {
    let registry = Registry::new();
    let itl = family(&registry);
    let model = |name| [("model", name)];
    itl.with(["old"]).record_n(1, 100);
    let mut hand = Hand::new(&registry, &["itl"]);
    hand.ticks(20);
    itl.with(["old"]).record(1);
    itl.with(["new"]).record_n(1, 2);
    assert_eq!(hand.count(&[("model", "old")]), Some(1));
    assert_eq!((hand.count(&model("new")), hand.count(&model("none"))), (Some(2), None));
    itl.remove(["old"]);
    assert_eq!(hand.count(&model("old")), None);
    // Another series by the same name, even where it has more than the old one had.
    itl.with(["old"]).record_n(1, 300);
    assert_eq!(hand.count(&model("old")), Some(300));
    hand.ticks(11);
    assert_eq!((hand.count(&model("old")), hand.count(&model("new"))), (Some(0), Some(0)));
    itl.with(["old"]).record(1);
    assert_eq!(hand.count(&model("old")), Some(1));
}

#[test]
fn what_was_recorded_before_a_switch_is_not_taken_for_new() {
    let registry = Registry::builder().level(Level::Detailed).build().unwrap();
    let itl = registry.histogram("itl").level(Level::Detailed).build().unwrap();
    let hidden = registry.histogram("hidden").level(Level::Detailed).build().unwrap();
    itl.record_n(1, 100);
    let mut hand = Hand::new(&registry, &["itl"]);
    hand.ticks(5);
    registry.set_level(Level::Basic);
    hand.ticks(30);
    assert_eq!(hand.count(&[]), None);
    registry.set_level(Level::Detailed);
    itl.record(1);
    assert_eq!(hand.count(&[]), Some(1));
    hand.ticks(30);
    assert_eq!(hand.count(&[]), Some(0));

    // Off for as long as the windows know it: what it had is told by the first tick that finds it.
    hidden.record_n(1, 100);
    registry.set_level(Level::Basic);
    let mut hand = Hand::new(&registry, &["hidden"]);
    hand.ticks(5);
    registry.set_level(Level::Detailed);
    let count = |hand: &Hand| hand.last(LENGTHS[0]).histogram("hidden", &[]).map(crate::HistogramSnapshot::count);
    assert_eq!(count(&hand), None);
    hand.ticks(11);
    hidden.record(1);
    assert_eq!(count(&hand), Some(1));
}

#[test]
fn the_gauges_are_the_windows() {
    let registry =
        Registry::builder().namespace("llm").const_label("zone", "eu").const_label("q", "x").build().unwrap();
    let itl = registry.histogram("itl").unit(Unit::Milliseconds).help("Gaps.").labels(["model"]).build().unwrap();
    let sizes = registry.histogram("sizes").build().unwrap();
    let odd = registry.histogram("odd").labels(["window"]).build().unwrap();
    registry.histogram("other").build().unwrap().record(1);
    let mut hand = Hand::new(&registry, &["itl", "sizes", "odd"]);
    hand.ticks(20);
    itl.with(["a \"b\""]).record_n(2_000_000, 30);
    sizes.record(15);
    odd.with(["x"]).record(1);
    let page = hand.page();
    let families: Vec<&str> =
        page.lines().filter_map(|line| line.strip_prefix("# TYPE ")).filter(|line| line.contains("_window")).collect();
    assert_eq!(
        families,
        [
            "llm_itl_milliseconds_window_rate gauge",
            "llm_itl_milliseconds_window_values gauge",
            "llm_itl_window_milliseconds gauge",
            "llm_sizes_window gauge",
            "llm_sizes_window_rate gauge",
            "llm_sizes_window_values gauge",
        ]
    );
    for line in [
        "# HELP llm_itl_window_milliseconds Quantiles of the window of: Gaps.",
        "# HELP llm_sizes_window_rate Values per second in the window.",
        r#"llm_itl_window_milliseconds{zone="eu",model="a \"b\"",window="10s",q="0.5"} 2.0"#,
        r#"llm_itl_window_milliseconds{zone="eu",model="a \"b\"",window="5m",q="0.99"} 2.0"#,
        r#"llm_itl_milliseconds_window_values{zone="eu",q="x",model="a \"b\"",window="1m"} 30.0"#,
        r#"llm_itl_milliseconds_window_rate{zone="eu",q="x",model="a \"b\"",window="10s"} 3.0"#,
        // There are but twenty seconds yet.
        r#"llm_itl_milliseconds_window_rate{zone="eu",q="x",model="a \"b\"",window="1m"} 1.5"#,
        r#"llm_sizes_window{zone="eu",window="10s",q="0.9"} 15.0"#,
    ] {
        let number = |text: &str| text.replace(".0\n", "\n");
        assert!(number(&page).contains(&number(&format!("{line}\n"))), "{line} is not in\n{page}");
    }
    // The rest of the page is as without windows.
    let plain = text::render(&hand.snapshot());
    let rest = |page: &str| {
        let lines = page.lines().filter(|line| !line.contains("_window") && !line.contains("tach_"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(rest(&page), rest(&plain));

    hand.ticks(11);
    let page = hand.page();
    for line in [
        r#"llm_sizes_window{zone="eu",window="10s",q="0.9"} NaN"#,
        r#"llm_sizes_window_values{zone="eu",q="x",window="10s"} 0"#,
        r#"llm_sizes_window_rate{zone="eu",q="x",window="10s"} 0"#,
        r#"llm_sizes_window_values{zone="eu",q="x",window="1m"} 1"#,
    ] {
        assert!(page.contains(&format!("{line}\n")), "{line} is not in\n{page}");
    }
    let shown = hand.windows.show(&hand.snapshot());
    assert_eq!(shown.gauge("sizes_window_values", &[("window", "5m")]), Some(1.0));
}

#[test]
fn histograms_that_differ_in_their_units_have_each_its_gauges() {
    let registry = Registry::new();
    let of = |name, unit| registry.histogram(name).unit(unit).build().unwrap();
    let (plain, seconds) = (of("wait", Unit::None), of("wait_seconds", Unit::Seconds));
    let millis = of("wait_milliseconds", Unit::Milliseconds);
    let mut hand = Hand::new(&registry, &["wait", "wait_seconds", "wait_milliseconds"]);
    hand.ticks(20);
    plain.record_n(7, 1);
    seconds.record_n(2_000_000_000, 2);
    millis.record_n(3_000_000, 3);
    let page = hand.page();
    for line in [
        r#"wait_window{window="10s",q="0.5"} 7"#,
        r#"wait_window_seconds{window="10s",q="0.5"} 2"#,
        r#"wait_window_milliseconds{window="10s",q="0.5"} 3"#,
        r#"wait_window_values{window="10s"} 1"#,
        r#"wait_seconds_window_values{window="10s"} 2"#,
        r#"wait_milliseconds_window_values{window="10s"} 3"#,
        r#"wait_window_rate{window="10s"} 0.1"#,
        r#"wait_seconds_window_rate{window="10s"} 0.2"#,
        r#"wait_milliseconds_window_rate{window="10s"} 0.3"#,
    ] {
        assert!(page.contains(&format!("{line}\n")), "{line} is not in\n{page}");
    }
}

#[test]
fn quantiles_are_those_that_were_chosen() {
    let registry = Registry::new();
    let itl = histogram(&registry);
    let windows = Windows::new(&registry, &["itl"], &[Duration::from_millis(1_500)]).unwrap();
    let windows = windows.quantiles(&[1.0, -0.0]).unwrap();
    (1..=100).for_each(|value| itl.record(value * 1_000_000));
    let page = text::render(&windows.show(&registry.snapshot()));
    let samples = page.lines().filter(|line| line.starts_with("itl_window_seconds{"));
    let labels: Vec<_> = samples.map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(
        labels,
        [r#"itl_window_seconds{window="1.5s",q="0.0"}"#, r#"itl_window_seconds{window="1.5s",q="1.0"}"#]
    );
}

#[test]
fn names_of_lengths_are_the_shortest() {
    let names =
        [10, 60, 90, 300, 3600, 7200, 86_400].map(|seconds| super::described::name(Duration::from_secs(seconds)));
    assert_eq!(names, ["10s", "1m", "90s", "5m", "1h", "2h", "24h"]);
}

#[test]
fn without_names_all_histograms_have_windows() {
    let registry = Registry::new();
    let itl = histogram(&registry);
    let mut hand = Hand::new(&registry, &[]);
    let later = registry.histogram("later").build().unwrap();
    hand.ticks(11);
    itl.record(10_000_000);
    later.record_n(5, 3);
    assert_eq!(hand.count(&[]), Some(1));
    let page = hand.page();
    assert!(page.contains("\nitl_seconds_window_values{window=\"10s\"} 1\n"), "{page}");
    assert!(page.contains("\nlater_window_values{window=\"10s\"} 3\n"), "{page}");
}

#[test]
fn mistakes_are_told_at_the_start() {
    let registry = Registry::new();
    let _itl = histogram(&registry);
    registry.counter("tokens").build().unwrap();
    let second = Duration::from_secs(1);
    for (names, lengths, problem) in [
        (&["itl", "tokens"][..], &[second][..], "\"tokens\" is no histogram of the registry"),
        (&["itl_seconds"], &[second], "\"itl_seconds\" is no histogram of the registry"),
        (&["itl"], &[], "nothing would be kept"),
        (&["itl"], &[second, Duration::from_millis(999)], "999ms would cost too many collections"),
        (&["itl"], &[second, second * 2, second], "1s is given twice"),
    ] {
        let error = Windows::start(&registry, names, lengths).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Setting);
        assert!(error.to_string().starts_with(&format!("windows: {problem}")), "{error}");
    }
    for (quantiles, problem) in [
        (&[0.5, 1.01][..], "1.01 is no share"),
        (&[f64::NAN], "NaN is no share"),
        (&[-0.1], "-0.1 is no share"),
        (&[0.5, 0.9, 0.5], "0.5 is given twice"),
    ] {
        let error = Windows::new(&registry, &["itl"], &[second]).unwrap().quantiles(quantiles).unwrap_err();
        assert!(error.to_string().starts_with(&format!("windows: the quantile {problem}")), "{error}");
    }
}

#[test]
fn the_thread_keeps_snapshots_and_ends_with_the_windows() {
    let registry = Registry::new();
    let itl = histogram(&registry);
    registry.observe_gauge("observed", "", || unreachable!("windows have no use for it")).unwrap();
    let windows = Windows::start(&registry, &["itl"], &[Duration::from_secs(1)]).unwrap();
    itl.record(3);
    assert_eq!(windows.histogram("itl", &[], LENGTHS[0]).unwrap().count(), 1);
    assert_eq!(windows.last(LENGTHS[0]).histogram("itl", &[]).unwrap().count(), 1);
    assert!(windows.histogram("observed", &[], LENGTHS[0]).is_none());
    while windows.past.lock().len() < 3 {
        std::thread::yield_now();
    }
    let past = std::sync::Arc::downgrade(&windows.past);
    drop(windows);
    assert!(past.upgrade().is_none());
}

#[test]
fn names_of_any_characters_are_those_of_the_histogram() {
    let registry = Registry::builder().utf8_names(true).const_label("zone.α", "eu").build().unwrap();
    let itl = registry.histogram("llm.itl é").unit(Unit::Seconds).labels(["model.id"]).build().unwrap();
    let taken = registry.histogram("taken").labels(["q."]).build().unwrap();
    let mut hand = Hand::new(&registry, &["llm.itl é", "taken"]);
    hand.ticks(20);
    itl.with(["a"]).record_n(2_000_000_000, 30);
    taken.with(["x"]).record(1);
    let shown = hand.windows.show(&hand.snapshot());
    let page = text::render_with(&shown, crate::Escaping::AllowUtf8);
    for line in [
        r#"{"llm.itl é_window_seconds","zone.α"="eu","model.id"="a",window="10s",q="0.5"} 2"#,
        r#"{"llm.itl é_seconds_window_values","zone.α"="eu","model.id"="a",window="10s"} 30"#,
        r#"taken_window_rate{"zone.α"="eu","q."="x",window="10s"} 0.1"#,
    ] {
        assert!(page.contains(&format!("{line}\n")), "{line} is not in\n{page}");
    }
    // To whom such names mean nothing: `_` in their place, and still no name twice.
    let page = text::render_with(&shown, crate::Escaping::Underscores);
    let line = r#"llm_itl___seconds_window_values{zone__="eu",model_id="a",window="10s"} 30"#;
    assert!(page.contains(&format!("{line}\n")), "{line} is not in\n{page}");
}

#[test]
fn native_schemas_have_windows_to_their_own_resolution() {
    const SCHEMA: u8 = 5;
    let registry = Registry::new();
    let itl = registry.histogram("itl").unit(Unit::Seconds).native_schema(SCHEMA).build().unwrap();
    let mut hand = Hand::new(&registry, &["itl"]);
    (1..=1000).for_each(|value| itl.record(value));
    hand.ticks(20);
    (1..=1000).for_each(|value| itl.record(value * 1_000_000));
    let window = hand.last(LENGTHS[0]);
    let found = window.histogram("itl", &[]).unwrap();
    assert_eq!((found.count(), (found.sum() - 500.5).abs() < 1e-9), (1000, true));
    let growth = 2_f64.powf(2_f64.powi(-i32::from(SCHEMA)));
    for (q, exact) in [(0.001, 0.001), (0.5, 0.5), (0.9, 0.9), (0.99, 0.99), (1.0, 1.0)] {
        let quantile = found.quantile(q);
        assert!((exact..=exact * growth).contains(&(quantile * (1.0 + 1e-9))), "{q}: {quantile}");
        if (0.5..1.0).contains(&q) {
            let labels: &[(&str, &str)] = &[("window", "10s"), ("q", &format!("{q:?}"))];
            let shown = hand.windows.show(&hand.snapshot());
            assert_eq!(shown.gauge("itl_window", labels), Some(quantile), "{q}");
        }
    }
    hand.ticks(11);
    assert!(hand.last(LENGTHS[0]).histogram("itl", &[]).unwrap().quantile(0.5).is_nan());
}
