//! The derives of tach, which exports them beside the traits: depend on `tach`, whose feature `derive` is on by default.

mod name;
mod set;
mod value;

use proc_macro::TokenStream;
use syn::{DeriveInput, Error, parse_macro_input};

/// Makes a struct with named fields a `tach::LabelSet`: each field is a label.
///
/// `#[label("code")]` on a field names the label; otherwise the field's name does. Each field's type has to be a
/// `LabelValue`, and so has each type parameter.
#[proc_macro_derive(LabelSet, attributes(label))]
pub fn label_set(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    set::implement(&input).unwrap_or_else(Error::into_compile_error).into()
}

/// Makes an enum without fields a closed `tach::LabelValue`.
///
/// A value's text is the variant's name in snake case (`NotFound` is `not_found`, `HTTPError` is `http_error`), or the one
/// given, as in `#[label("PUT!")]`.
#[proc_macro_derive(LabelValue, attributes(label))]
pub fn label_value(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    value::implement(&input).unwrap_or_else(Error::into_compile_error).into()
}
