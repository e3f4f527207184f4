//! Label names that no format allows, that are reserved, or that are there twice.

#[derive(tach::LabelSet)]
struct Names {
    #[label("no-dash")]
    dash: bool,
    #[label("9th")]
    digit: bool,
    #[label("")]
    empty: bool,
    #[label("__reserved")]
    underscores: bool,
    #[label("le")]
    bound: bool,
    quantile: bool,
    größe: bool,
    fine: bool,
    #[label("fine")]
    twice: bool,
}

fn main() {}
