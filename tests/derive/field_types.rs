//! Fields that are no label values, and what is no label set.

struct Plain;

#[derive(tach::LabelSet)]
struct Labels {
    method: bool,
    ratio: f64,
}

fn main() {
    let registry = tach::Registry::new();
    let _ = registry.counter("a").label_set::<Plain>();
}
