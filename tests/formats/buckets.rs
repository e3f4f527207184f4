//! Which buckets histograms have in the formats that have both sorts: those that the exporter was told.

use crate::pb_reader::{self, Histogram};
use hyper::Request;
use tach::{Endpoint, HistogramBuckets, Registry, SpanContext, protobuf};

/// What `registry` shows in the format, with these buckets.
fn page(registry: &Registry, buckets: HistogramBuckets, accept: &str) -> Vec<u8> {
    let endpoint = Endpoint::new(registry).unwrap().openmetrics_2(true).histogram_buckets(buckets);
    let request = Request::get("/metrics").header("accept", accept).body(()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(endpoint.respond(&request)).into_body()
}

/// Of a registry with a histogram with buckets, `declared`, and one without, `none`.
fn registry() -> Registry {
    let registry = Registry::new();
    let trace = SpanContext::new([1; 16], [2; 8]).unwrap();
    for (name, bounds) in [("declared", &[1.0, 4.0][..]), ("none", &[])] {
        let histogram = registry.histogram(name).buckets(bounds.iter().copied()).exemplars().build().unwrap();
        [0, 1, 2].into_iter().for_each(|value| histogram.record(value));
        histogram.record_with_exemplar(9, &trace);
    }
    registry
}

#[test]
fn protobuf_has_the_buckets_that_the_exporter_was_told() {
    let registry = registry();
    let read = |buckets, name: &str| -> Histogram {
        let families = pb_reader::read(&page(&registry, buckets, protobuf::CONTENT_TYPE)).unwrap();
        let family = families.into_iter().find(|family| family.name == name).unwrap();
        family.metrics.into_iter().next().unwrap().histogram.unwrap()
    };
    let classic = [(1.0, 2), (4.0, 3)];
    for (buckets, has_native, declared) in [
        (HistogramBuckets::Both, true, &classic[..]),
        (HistogramBuckets::NativeOnly, true, &[]),
        (HistogramBuckets::ClassicOnly, false, &classic),
    ] {
        let found = read(buckets, "declared");
        assert_eq!((found.count, &*found.buckets), (4, declared), "{buckets:?}");
        assert_eq!(found.bucket_exemplars.len(), usize::from(!declared.is_empty()), "{buckets:?}");
        for found in [found, read(buckets, "none")] {
            let native = [found.schema.is_some(), found.zero_threshold > 0.0, found.zero_count == 1];
            assert_eq!((native, found.exemplars.len()), ([has_native; 3], usize::from(has_native)), "{buckets:?}");
            assert_eq!((found.spans.is_empty(), found.deltas.is_empty()), (!has_native, !has_native));
        }
        // Without bounds it is classic by the bucket that everybody has, which stands there for its exemplar.
        let none = read(buckets, "none");
        assert_eq!((none.buckets.len(), none.bucket_exemplars.len()), (0, usize::from(!has_native)), "{buckets:?}");
    }
    let plain = Registry::new();
    plain.histogram("plain").build().unwrap().record(3);
    let families = pb_reader::read(&page(&plain, HistogramBuckets::ClassicOnly, protobuf::CONTENT_TYPE)).unwrap();
    assert_eq!(families[0].metrics[0].histogram.as_ref().unwrap().buckets, [(f64::INFINITY, 1)]);
}

#[test]
fn openmetrics_2_has_the_buckets_that_the_exporter_was_told() {
    let registry = registry();
    let native = "schema:4,zero_threshold:2.938735877055719e-39,zero_count:1,positive_spans:[0:1,15:1,34:1],\
                  positive_buckets:[1,1,1]";
    let classic = "bucket:[1.0:2,4.0:3,+Inf:4]";
    for (buckets, declared, none) in [
        (HistogramBuckets::Both, format!("{native},{classic}"), native),
        (HistogramBuckets::NativeOnly, native.to_owned(), native),
        (HistogramBuckets::ClassicOnly, classic.to_owned(), "bucket:[+Inf:4]"),
    ] {
        let page = page(&registry, buckets, "application/openmetrics-text;version=2.0.0");
        let page = String::from_utf8(page).unwrap();
        for line in
            [format!("\ndeclared {{count:4,sum:12,{declared}}} st@"), format!("\nnone {{count:4,sum:12,{none}}} st@")]
        {
            assert!(page.contains(&line), "{buckets:?} {line}\n{page}");
        }
    }
}

#[test]
fn text_has_the_classic_buckets_whatever_is_told() {
    let registry = registry();
    for accept in ["text/plain", "application/openmetrics-text"] {
        let page = page(&registry, HistogramBuckets::NativeOnly, accept);
        assert!(String::from_utf8(page).unwrap().contains("\ndeclared_bucket{le=\"4.0\"} 3\n"), "{accept}");
    }
}
