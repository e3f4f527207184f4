//! Label values that are reserved, or there twice.

#[derive(tach::LabelValue)]
enum Values {
    Get,
    #[label("get")]
    Fetch,
    #[label("tach_overflow")]
    Overflow,
    TachOverflow,
    HTTPGet,
    HttpGet,
}

fn main() {}
