//! OTLP requests: every value reads back as it was recorded, under OTLP's names.

use crate::model::{Family, Recorded, families, registry};
use crate::otlp_reader::{Point, Request, read};
use std::collections::BTreeMap;
use tach::otlp::{Encoder, Histograms, Resource};
use tach::{Registry, Unit};

/// Scales, and how far from a value its bucket may end, by digits.
const SCALES: [i64; 3] = [3, 4, 5];
const BOUNDS: [f64; 3] = [1.159, 1.053, 1.023];

fn encode(registry: &Registry, histograms: Histograms) -> Request {
    let mut encoder = Encoder::new(Resource::new().service("test")).histograms(histograms);
    read(&encoder.encode(&registry.snapshot())).unwrap()
}

#[test]
fn names_units_and_kinds_are_otlps() {
    let registry = Registry::builder().namespace("llm.server").const_label("model", "m").build().unwrap();
    let requests = registry.counter("requests.done_total").help("All.").labels(["code", "path"]).build().unwrap();
    requests.with(["200", ""]).add(3);
    requests.with(["500", "\"ä\n"]).add(1 << 60);
    registry.float_counter("energy").unit(Unit::Joules).build().unwrap().add(0.5);
    registry.updown_counter("running").unit(Unit::Other("requests")).build().unwrap().add(-3);
    registry.gauge("usage").unit(Unit::Ratio).build().unwrap().set(-0.0);
    registry.observe_counter("seen", "", || u64::MAX).unwrap();
    registry.observe_gauge("depth", "", || f64::NAN).unwrap();
    registry.float_counter("cpu").observe(|| f64::NAN).unwrap();
    registry.counter("unused").labels(["l"]).build().unwrap();
    let itl = registry.histogram("itl").unit(Unit::Seconds).buckets([0.005, 1.0]).build().unwrap();
    [0, 0, 5_000_000, 5_000_001, 1_000_000_000].iter().for_each(|value| itl.record(*value));
    registry.histogram("empty").build().unwrap();

    let found = encode(&registry, Histograms::Exponential);
    assert_eq!(found.scope, ("tach".to_owned(), env!("CARGO_PKG_VERSION").to_owned()));
    for (key, value) in [("service.name", "test"), ("telemetry.sdk.name", "tach"), ("telemetry.sdk.language", "rust")] {
        assert_eq!(found.resource[key], value);
    }
    assert_eq!(found.resource["service.instance.id"].len(), 36);
    let shapes: Vec<_> = found
        .metrics
        .iter()
        .filter(|metric| !metric.name.starts_with("tach_"))
        .map(|metric| (&*metric.name, &*metric.unit, metric.data().kind, metric.data().monotonic))
        .collect();
    // A total that is no number is not told, and neither is a family without series.
    let expected = [
        ("llm.server.depth", "", "gauge", false),
        ("llm.server.empty", "", "exponential", false),
        ("llm.server.energy", "J", "sum", true),
        ("llm.server.itl", "s", "exponential", false),
        ("llm.server.requests.done", "", "sum", true),
        ("llm.server.running", "{request}", "sum", false),
        ("llm.server.seen", "", "sum", true),
        ("llm.server.usage", "1", "gauge", false),
    ];
    assert_eq!(shapes, expected);
    assert!(
        found.metrics.iter().all(|metric| metric.data().temporality == u64::from(metric.data().kind != "gauge") * 2)
    );

    let requests = found.metric("llm.server.requests.done");
    assert_eq!(requests.description, "All.");
    let labels = |pairs: &[(&str, &str)]| pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
    let [first, second] = &*requests.data().points else { panic!("{requests:?}") };
    assert_eq!((&first.attributes, first.int), (&labels(&[("model", "m"), ("code", "200")]), Some(3)));
    assert_eq!(second.attributes, labels(&[("model", "m"), ("code", "500"), ("path", "\"ä\n")]));
    assert_eq!(second.int, Some(1 << 60));
    assert_eq!(found.metric("llm.server.energy").point().double, Some(0.5));
    assert_eq!(found.metric("llm.server.running").point().int, Some(-3));
    assert_eq!(found.metric("llm.server.usage").point().double.map(f64::to_bits), Some((-0.0_f64).to_bits()));
    assert!(found.metric("llm.server.depth").point().double.unwrap().is_nan());
    // Beyond what an integer holds there.
    assert_eq!(found.metric("llm.server.seen").point().double, Some(u64::MAX as f64));

    let point = found.metric("llm.server.itl").point();
    assert_eq!((point.count, point.sum, point.zeros), (5, Some(1.010000001), 2));
    assert_eq!(
        (point.min, point.max, point.scale, point.zero_threshold),
        (Some(0.0), Some(1.0), Some(4), 2f64.powi(-128))
    );
    // As in the protobuf format of Prometheus, whose bucket -122 is -123 here.
    assert_eq!((point.offset, point.counts.len()), (-123, 123));
    assert_eq!((point.counts[0], point.counts[122], point.counts[1..122].iter().sum()), (2, 1, 0_u64));
    let empty = found.metric("llm.server.empty").point();
    assert_eq!((empty.count, empty.sum, empty.min, empty.max), (0, Some(0.0), None, None));
    assert_eq!((empty.scale, empty.counts.len()), (Some(4), 0));

    let explicit = encode(&registry, Histograms::Explicit);
    let point = explicit.metric("llm.server.itl").point();
    assert_eq!(explicit.metric("llm.server.itl").data().kind, "histogram");
    assert_eq!((&*point.bounds, &*point.counts), (&[0.005, 1.0][..], &[3, 2, 0][..]));
    assert_eq!((point.count, point.sum, point.min, point.max), (5, Some(1.010000001), Some(0.0), Some(1.0)));
    let empty = explicit.metric("llm.server.empty").point();
    assert_eq!((&*empty.bounds, &*empty.counts), (&[][..], &[0][..]));
}

/// Holds a decoded series against what was recorded.
fn check(family: &Family, recorded: &Recorded, point: &Point, kind: &str, is_monotonic: bool) {
    let number = (kind, point.int, point.double);
    match recorded {
        Recorded::Counter(n) => match i64::try_from(*n) {
            Ok(n) => assert!(is_monotonic && number == ("sum", Some(n), None)),
            Err(_) => assert!(is_monotonic && number == ("sum", None, Some(*n as f64))),
        },
        Recorded::UpDown(n) => assert!(!is_monotonic && number == ("sum", Some(*n), None)),
        Recorded::Gauge(n) => {
            let ("gauge", None, Some(value)) = number else { panic!("{point:?}") };
            assert!(value == *n || value.is_nan() && n.is_nan());
        }
        Recorded::Histogram(ticks) => {
            let value = |ticks: u64| ticks as f64 / family.ticks_per_unit();
            assert_eq!((point.count, point.sum), (ticks.len() as u64, Some(value(ticks.iter().sum()))));
            assert_eq!(point.min, ticks.iter().min().map(|ticks| value(*ticks)));
            assert_eq!(point.max, ticks.iter().max().map(|ticks| value(*ticks)));
            if kind == "histogram" {
                check_explicit(family, ticks, point)
            } else {
                check_exponential(family, ticks, point)
            }
        }
    }
}

fn check_explicit(family: &Family, ticks: &[u64], point: &Point) {
    let bounds: Vec<u64> = family.bounds.iter().copied().collect();
    let mut expected = vec![0; bounds.len() + 1];
    ticks.iter().for_each(|value| expected[bounds.partition_point(|bound| bound < value)] += 1);
    let exposed: Vec<f64> = bounds.iter().map(|bound| *bound as f64 / family.ticks_per_unit()).collect();
    assert_eq!((&point.bounds, &point.counts), (&exposed, &expected));
}

fn check_exponential(family: &Family, ticks: &[u64], point: &Point) {
    if let Some(schema) = family.schema {
        assert_eq!((point.scale, point.zeros), (Some(schema.into()), ticks.iter().filter(|n| **n == 0).count() as u64));
        // Bucket i ends at g^(i + 1) here.
        let counted = (point.offset + 1..).zip(point.counts.iter().copied());
        let found: BTreeMap<i64, u64> = counted.filter(|(_, count)| *count > 0).collect();
        return assert_eq!(found, family.account(schema, ticks));
    }
    let digits = usize::from(family.digits) - 1;
    assert_eq!(point.scale, Some(SCALES[digits]));
    assert_eq!(point.zeros, ticks.iter().filter(|ticks| **ticks == 0).count() as u64);
    // Neither end is padded.
    assert!(point.counts.first().is_none_or(|count| *count > 0) && point.counts.last().is_none_or(|count| *count > 0));
    let mut positive: Vec<f64> =
        ticks.iter().filter(|ticks| **ticks > 0).map(|ticks| *ticks as f64 / family.ticks_per_unit()).collect();
    positive.sort_by(f64::total_cmp);
    let counted = (point.offset..).zip(&point.counts);
    let counted: Vec<i64> = counted.flat_map(|(index, count)| std::iter::repeat_n(index, *count as usize)).collect();
    assert_eq!(counted.len(), positive.len());
    for (value, index) in positive.into_iter().zip(counted) {
        let end = |index: i64| (index as f64 / f64::from(1 << SCALES[digits])).exp2();
        // Bucket i is above g^i and up to g^(i + 1); a value is in its own or the next.
        let (below, upper) = (end(index - 1), end(index + 1));
        assert!(below < value * (1.0 + 1e-12) && value <= upper * (1.0 + 1e-12), "{value} in {index}");
        assert!(upper <= BOUNDS[digits] * value, "{value} is counted up to {upper}");
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_was_recorded_reads_back(families in families(), is_explicit in proptest::bool::ANY) {
        let histograms = if is_explicit { Histograms::Explicit } else { Histograms::Exponential };
        let found = encode(&registry(&families), histograms);
        let own = found.metrics.iter().filter(|metric| !metric.name.starts_with("tach_")).count();
        proptest::prop_assert_eq!(own, families.len());
        for family in &families {
            let metric = found.metric(&format!("app.{}", family.name));
            let units = BTreeMap::from([("", ""), ("seconds", "s"), ("_tokens", "{_token}")]);
            proptest::prop_assert_eq!((&*metric.unit, &metric.description), (units[family.unit.suffix()], &family.help));
            let data = metric.data();
            proptest::prop_assert_eq!(data.points.len(), family.series.len());
            for (point, (values, recorded)) in data.points.iter().zip(&family.series) {
                proptest::prop_assert_eq!(&point.attributes, &family.labels_of(values));
                proptest::prop_assert!(point.time > 0 && point.start <= point.time);
                check(family, recorded, point, data.kind, data.monotonic);
            }
        }
    }
}
