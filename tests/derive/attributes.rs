//! `#[label(..)]` where and how it does not belong.

#[derive(tach::LabelSet)]
struct Key {
    #[label(rename = "code")]
    class: bool,
}

#[derive(tach::LabelSet)]
struct NoText {
    #[label(code)]
    class: bool,
}

#[derive(tach::LabelSet)]
struct Bare {
    #[label]
    class: bool,
}

#[derive(tach::LabelSet)]
struct Twice {
    #[label("a")]
    #[label("b")]
    class: bool,
}

#[derive(tach::LabelSet)]
#[label("set")]
struct Outer {
    class: bool,
}

#[derive(tach::LabelValue)]
enum Value {
    #[label("a", "b")]
    A,
}

fn main() {}
