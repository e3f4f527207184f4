//! Typed label values and sets of them: what the derives implement, and may be implemented by hand.

use super::domain::{Closed, Domain, Open};
use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// A type whose values are label values: `#[derive(tach::LabelValue)]` for an enum without fields.
///
/// A type is [`Closed`] when its values are known beforehand: enums that derive this, and `bool`. A label set of closed
/// types only is found by index. All others are [`Open`]: strings and integers, which is not to say that it is wise to
/// have a series for each integer.
///
/// ```
/// use tach::LabelValue;
///
/// #[derive(LabelValue)]
/// enum Method {
///     Get,
///     #[label("PUT!")]
///     Put,
///     NotAMethod,
/// }
///
/// assert_eq!(Method::VALUES, ["get", "PUT!", "not_a_method"]);
/// assert_eq!(Method::Put.index(), 1);
/// ```
///
/// By hand, for an open type:
///
/// ```
/// struct Port(u16);
///
/// impl tach::LabelValue for Port {
///     type Domain = tach::Open;
///
///     fn text<'a>(&'a self, buffer: &'a mut tach::LabelText) -> &'a str {
///         self.0.text(buffer)
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a label value",
    label = "no label value",
    note = "an enum without fields becomes one by `#[derive(tach::LabelValue)]`; `bool`, integers, `&str`, `String` and \
            `Cow<str>` are"
)]
pub trait LabelValue {
    /// [`Closed`] or [`Open`].
    type Domain: Domain;

    /// For a closed type every value's text, each once and at most 1024 bytes.
    const VALUES: &'static [&'static str] = &[];

    /// For a closed type where in [`LabelValue::VALUES`] this value stands; never asked of an open one.
    #[inline]
    fn index(&self) -> usize {
        0
    }

    /// The text; in `buffer` if it has to be written first.
    fn text<'a>(&'a self, buffer: &'a mut LabelText) -> &'a str;
}

/// A struct whose fields are the labels of a metric: `#[derive(tach::LabelSet)]`, for
/// [`MetricBuilder::label_set`](crate::MetricBuilder::label_set).
///
/// Each field is a label with the field's name, or the one given, as in `#[label("code")]`. Where all fields are closed
/// (see [`LabelValue`]), so is the set, and a series is found by index.
///
/// ```
/// use tach::{Counter, LabelSet, LabelValue, Registry, TypedFamily};
///
/// #[derive(LabelValue, Clone, Copy)]
/// enum Method {
///     Get,
///     Put,
/// }
///
/// #[derive(LabelSet)]
/// struct Labels {
///     method: Method,
///     #[label("cached")]
///     from_cache: bool,
/// }
///
/// #[derive(LabelSet)]
/// struct PathLabels<'a> {
///     method: Method,
///     path: &'a str,
///     code: u16,
/// }
///
/// let registry = Registry::new();
/// let requests: TypedFamily<Counter, Labels> = registry.counter("requests").label_set::<Labels>().build()?;
/// requests.with(Labels { method: Method::Get, from_cache: true }).inc();
/// let paths = registry.counter("paths").label_set::<PathLabels>().limit(100).build()?;
/// paths.with(PathLabels { method: Method::Put, path: "/", code: 201 }).inc();
///
/// let snapshot = registry.snapshot();
/// assert_eq!(snapshot.counter("requests", &[("method", "get"), ("cached", "true")]), Some(1));
/// assert_eq!(snapshot.counter("requests", &[("method", "put"), ("cached", "true")]), Some(0));
/// assert_eq!(snapshot.counter("paths", &[("method", "put"), ("path", "/"), ("code", "201")]), Some(1));
/// # Ok::<(), tach::Error>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a label set",
    label = "not a label set",
    note = "a struct with named fields becomes one by `#[derive(tach::LabelSet)]`"
)]
pub trait LabelSet {
    /// This type, with `'a` in the place of its lifetimes: a family outlives the strings that it is asked for.
    type At<'a>: LabelSet;

    /// [`Closed`] if all labels are, otherwise [`Open`].
    type Domain: Domain;

    /// How a family keeps the series of a closed set: `Arc<[M; N]>` where their number can be said, so that a look-up
    /// does not have to read it, and otherwise `Arc<[M]>`.
    type Array<M: Send + Sync + 'static>: Deref<Target: AsRef<[M]>> + TryFrom<Arc<[M]>> + Clone + Send + Sync;

    /// One text for each label: `[Text; N]` with the number of [`LabelSet::LABELS`].
    type Row<Text: Send + Sync>: AsRef<[Text]> + TryFrom<Vec<Text>> + Send + Sync;

    /// The labels, in the order in which the values are given.
    const LABELS: &'static [Label];

    /// For a closed set the number of its combination of values: the indices of the values as digits, that of the first
    /// label the most significant. Never asked of an open set. A number that is none goes to the overflow series.
    fn index(&self) -> usize;

    /// Calls `then` with the text of each value, in the order of the labels.
    fn texts<R>(&self, then: impl FnOnce(Self::Row<&str>) -> R) -> R;
}

/// The name of a label, and what is known of its values.
#[derive(Clone, Copy, Debug)]
pub struct Label {
    pub(crate) name: &'static str,
    pub(crate) values: &'static [&'static str],
}

impl Label {
    /// A label whose values are of type `V`.
    #[must_use]
    pub const fn of<V: LabelValue + ?Sized>(name: &'static str) -> Self {
        Self { name, values: V::VALUES }
    }

    /// The name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// All values that it can have; `None` where these are not known beforehand.
    #[must_use]
    pub const fn values(&self) -> Option<&'static [&'static str]> {
        if self.values.is_empty() { None } else { Some(self.values) }
    }

    /// [`LabelSet::index`], digit by digit: the number whose digits are those of `before`, then `value`'s index.
    #[inline(always)]
    #[must_use]
    pub fn digit<V: LabelValue + ?Sized>(before: usize, value: &V) -> usize {
        // Wrapping only where the family was refused, as it would have had too many series.
        before.wrapping_mul(V::VALUES.len()).wrapping_add(value.index())
    }

    /// How many combinations of values there are, or `usize::MAX` where it is more than that.
    pub(crate) fn combinations(labels: &[Self]) -> usize {
        labels.iter().fold(1, |all, label| label.values.len().saturating_mul(all))
    }
}

/// Room for the text of one label value that has to be written first.
pub struct LabelText(itoa::Buffer);

impl LabelText {
    /// Empty. Writes nothing yet, and so costs nothing.
    #[inline]
    #[must_use]
    pub fn new() -> Self {
        Self(itoa::Buffer::new())
    }
}

impl Default for LabelText {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for LabelText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LabelText").finish_non_exhaustive()
    }
}

impl<V: LabelValue + ?Sized> LabelValue for &V {
    type Domain = V::Domain;
    const VALUES: &'static [&'static str] = V::VALUES;

    #[inline]
    fn index(&self) -> usize {
        V::index(self)
    }

    #[inline]
    fn text<'a>(&'a self, buffer: &'a mut LabelText) -> &'a str {
        V::text(self, buffer)
    }
}

impl LabelValue for bool {
    type Domain = Closed;
    const VALUES: &'static [&'static str] = &["false", "true"];

    #[inline]
    fn index(&self) -> usize {
        usize::from(*self)
    }

    #[inline]
    fn text<'a>(&'a self, _: &'a mut LabelText) -> &'a str {
        if *self { "true" } else { "false" }
    }
}

impl LabelValue for str {
    type Domain = Open;

    #[inline]
    fn text<'a>(&'a self, _: &'a mut LabelText) -> &'a str {
        self
    }
}

/// Types that hold a string, and integers. One by one: a blanket implementation would exclude all others.
macro_rules! open {
    ($($string:ty),*; $($integer:ty),*) => {
        $(impl LabelValue for $string {
            type Domain = Open;

            #[inline]
            fn text<'a>(&'a self, _: &'a mut LabelText) -> &'a str {
                self
            }
        })*
        $(impl LabelValue for $integer {
            type Domain = Open;

            #[inline]
            fn text<'a>(&'a self, buffer: &'a mut LabelText) -> &'a str {
                buffer.0.format(*self)
            }
        })*
    };
}

open!(String, Cow<'_, str>, Box<str>, Arc<str>; u8, u16, u32, u64, u128, usize, i8, i16, i32, i64, i128, isize);

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: &(impl LabelValue + ?Sized)) -> String {
        value.text(&mut LabelText::new()).to_owned()
    }

    fn is_closed<V: LabelValue + ?Sized>() -> bool {
        V::Domain::IS_CLOSED
    }

    #[test]
    fn values_are_written_as_people_write_them() {
        assert_eq!((text(&true), text(&false)), ("true".to_owned(), "false".to_owned()));
        assert_eq!((text(&-5_i8), text(&u128::MAX)), ("-5".to_owned(), u128::MAX.to_string()));
        for value in ["", "a b", "ü"] {
            let owned = value.to_owned();
            let all = [text(value), text(&&value), text(&owned), text(&Cow::Borrowed(value)), text(&Arc::from(value))];
            assert_eq!(all, [value; 5]);
        }
    }

    #[test]
    fn references_are_as_closed_as_what_they_point_to() {
        assert_eq!(<&&bool>::VALUES, bool::VALUES);
        assert_eq!((&&true).index(), 1);
        assert_eq!([is_closed::<&&bool>(), is_closed::<&str>()], [true, false]);
    }

    #[test]
    fn combinations_are_counted_and_numbered_in_mixed_radix() {
        let three = Label { name: "three", values: &["a", "b", "c"] };
        assert_eq!(Label::combinations(&[]), 1);
        assert_eq!(Label::combinations(&[three, Label::of::<bool>("b")]), 6);
        assert_eq!(Label::combinations(&[three; 50]), usize::MAX);
        assert_eq!(Label::digit(Label::digit(Label::digit(0, &true), &false), &true), 5);
    }
}
