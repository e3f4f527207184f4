//! What is not an enum without fields.

#[derive(tach::LabelValue)]
struct Struct {
    a: bool,
}

#[derive(tach::LabelValue)]
enum Fields {
    Plain,
    Tuple(u8),
}

#[derive(tach::LabelValue)]
enum Never {}

fn main() {}
