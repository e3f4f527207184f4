//! Whether the values of a label are known beforehand.

use std::borrow::Borrow;

/// Whether label values are known beforehand: [`Closed`] or [`Open`]. Sealed.
///
/// A matter of types, so that what a look-up gives is settled when the program is compiled.
pub trait Domain: sealed::Sealed + 'static {
    /// What a look-up of a label set gives: `&M` or `M`.
    type Series<'f, M: 'static>: Borrow<M>;

    /// The domain of a set with a label of this domain and a label of that one.
    type And<Other: Domain>: Domain;

    /// Whether it is [`Closed`].
    const IS_CLOSED: bool;

    /// Does one of the two.
    #[doc(hidden)]
    fn choose<'f, M: 'static>(closed: impl FnOnce() -> &'f M, open: impl FnOnce() -> M) -> Self::Series<'f, M>;
}

/// All values are known: each combination has its series from the beginning, found by index, and a look-up borrows it
/// from the family.
#[derive(Debug)]
pub enum Closed {}

/// The values come up as the program runs: a series is made at its first use, and a look-up gives a handle of its own.
#[derive(Debug)]
pub enum Open {}

impl Domain for Closed {
    type Series<'f, M: 'static> = &'f M;
    type And<Other: Domain> = Other;
    const IS_CLOSED: bool = true;

    #[inline(always)]
    fn choose<'f, M: 'static>(closed: impl FnOnce() -> &'f M, _: impl FnOnce() -> M) -> &'f M {
        closed()
    }
}

impl Domain for Open {
    type Series<'f, M: 'static> = M;
    type And<Other: Domain> = Self;
    const IS_CLOSED: bool = false;

    #[inline(always)]
    fn choose<'f, M: 'static>(_: impl FnOnce() -> &'f M, open: impl FnOnce() -> M) -> M {
        open()
    }
}

/// For the derive: [`Closed`] or [`Open`] by a constant, which may tell of private types where a public type may not.
#[doc(hidden)]
#[derive(Debug)]
pub struct DomainIf<const CLOSED: bool>;

/// What [`DomainIf`] says.
#[doc(hidden)]
pub trait Known {
    type Domain: Domain;
}

impl Known for DomainIf<true> {
    type Domain = Closed;
}

impl Known for DomainIf<false> {
    type Domain = Open;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Closed {}
    impl Sealed for super::Open {}
}
