//! The derives' errors, word by word, and what compiles: the programs in `tests/derive/`.
//!
//! A new compiler may word its part of an error differently: `TRYBUILD=overwrite cargo test --test derive` writes the
//! `.stderr` files anew.
#![cfg(feature = "derive")]

#[test]
fn misuse_is_an_error_that_says_what_to_do() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/derive/passes.rs");
    for name in ["attributes", "closed_remove", "field_types", "names", "set_shape", "value_shape", "values"] {
        cases.compile_fail(format!("tests/derive/{name}.rs"));
    }
}
