//! What is not a struct with named fields.

#[derive(tach::LabelSet)]
enum Enum {
    A,
}

#[derive(tach::LabelSet)]
struct Tuple(bool);

#[derive(tach::LabelSet)]
struct Unit;

#[derive(tach::LabelSet)]
struct Empty {}

#[derive(tach::LabelSet)]
union Union {
    a: bool,
    b: bool,
}

fn main() {}
