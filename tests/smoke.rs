//! smoke
use tach::{Registry, Unit};
#[test]
fn it_counts() {
    let r = Registry::new();
    let c = r.counter("tokens").help("T").build().unwrap();
    let h = r.histogram("itl").unit(Unit::Seconds).buckets([0.01, 0.025, 0.05, 0.1]).build().unwrap();
    let f = r.counter("request_count").labels(["code", "path"]).limit(1000).build().unwrap();
    let g = r.gauge("kv").unit(Unit::Ratio).build().unwrap();
    std::thread::scope(|s| {
        for _ in 0..4 {
            s.spawn(|| {
                for i in 0..100_000u64 {
                    c.inc();
                    h.record(i * 1000);
                    f.with(["200", "/v1"]).inc();
                    g.set(0.5)
                }
            });
        }
    });
    let s = r.snapshot();
    assert_eq!(s.counter("tokens", &[]), Some(400_000));
    assert_eq!(s.counter("request_count", &[("path", "/v1"), ("code", "200")]), Some(400_000));
    let h = s.histogram("itl", &[]).unwrap();
    assert_eq!(h.count(), 400_000);
    assert_eq!(h.bucket_count_le(0.025), 4 * 25_001);
    println!("{}", tach::text::render(&s));
    println!("{:?} {} {} {}", h.is_exact(), h.min(), h.max(), h.quantile(0.5));
}
