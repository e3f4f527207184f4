//! The series of a closed set stay.

#[derive(tach::LabelSet)]
struct Labels {
    cached: bool,
}

fn main() {
    let registry = tach::Registry::new();
    let family = registry.counter("a").label_set::<Labels>().build().unwrap();
    family.remove(Labels { cached: true });
}
