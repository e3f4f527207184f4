//! Histograms: exact minimum and maximum, 2 digits with and without declared bounds, 3 digits, and a native schema.

use tach::{Histogram, Registry, Unit};

use crate::contender::{Contender, nanos};
use crate::values::{LADDER, ladder_nanos};

pub(crate) fn histogram() -> Vec<Contender> {
    let registry = Registry::new();
    let build = |name: &str| registry.histogram(name).unit(Unit::Seconds).digits(2);
    let plain = build("plain").build().expect("valid description");
    let bounded = build("bounded").buckets(LADDER).build().expect("valid description");
    let fine = registry.histogram("fine").unit(Unit::Seconds).digits(3).build().expect("valid description");
    let native = registry.histogram("native").unit(Unit::Seconds).native_schema(4).build().expect("valid description");
    let (many, many_bounded, held) = (plain.clone(), bounded.clone(), plain.clone());
    let (native_too, split) = (native.clone(), bounded.clone());
    let (plain_fresh, bounded_fresh, native_fresh) = (plain.clone(), bounded.clone(), native.clone());
    let (local, local_bounded) = (plain.clone(), bounded.clone());
    let (in_register, in_register_bounded) = (plain.clone(), bounded.clone());
    vec![
        Contender::new("tach Histogram", move |work| {
            let _alive = &registry;
            nanos(work, &held, |held, value| held.record(value))
        })
        .note("sum, count, exact min and max")
        .reference(),
        Contender::new("tach Histogram, 20 bounds", move |work| {
            nanos(work, &bounded, |bounded, value| bounded.record(value))
        })
        .note("exact buckets besides"),
        Contender::new("tach Histogram, record_n", move |work| {
            nanos(work, &many, |many, value| many.record_n(value, 4))
        }),
        Contender::new("tach Histogram, 20 bounds, record_n", move |work| {
            nanos(work, &many_bounded, |many_bounded, value| many_bounded.record_n(value, 4))
        }),
        Contender::new("tach Histogram, handle in a register", move |work| {
            let held = &in_register;
            nanos(work, &(), move |(), value| held.record(value))
        }),
        Contender::new("tach Histogram, 20 bounds, handle in a register", move |work| {
            let held = &in_register_bounded;
            nanos(work, &(), move |(), value| held.record(value))
        }),
        Contender::new("tach Histogram, 3 digits", move |work| nanos(work, &fine, |fine, value| fine.record(value))),
        Contender::new("tach Histogram, native schema 4", move |work| {
            nanos(work, &native, |native, value| native.record(value))
        })
        .note("exact exponential buckets"),
        Contender::new("tach Histogram, native schema 4, values at 20 bounds", move |work| {
            nanos(work, &(&native_too, ladder_nanos()), |(native, near), value| {
                native.record(near[value as usize & 15])
            })
        }),
        Contender::new("tach Histogram, 20 bounds, values at them", move |work| {
            nanos(work, &(&split, ladder_nanos()), |(split, near), value| split.record(near[value as usize & 15]))
        }),
        Contender::new("tach Histogram, values that never repeat", move |work| fresh(work, &plain_fresh)),
        Contender::new("tach Histogram, 20 bounds, values that never repeat", move |work| fresh(work, &bounded_fresh)),
        Contender::new("tach Histogram, native schema 4, values that never repeat", move |work| {
            fresh(work, &native_fresh)
        }),
        Contender::new("tach Histogram::local", move |work| through_local(work, &local)),
        Contender::new("tach Histogram::local, 20 bounds", move |work| through_local(work, &local_bounded)),
    ]
}

/// To each value up to a millisecond is added, another one in each turn through the table: no predictor learns which of
/// them lie in a cell that a bound splits.
fn fresh(work: &crate::contender::Work<'_>, histogram: &Histogram) -> std::time::Duration {
    let mut turns = 0_u64;
    nanos(work, histogram, move |histogram, value| {
        turns = turns.wrapping_add(0x9e37_79b9_7f4a_7c15);
        histogram.record(value + (turns >> 44))
    })
}

fn through_local(work: &crate::contender::Work<'_>, histogram: &Histogram) -> std::time::Duration {
    let mut local = histogram.local();
    nanos(work, &(), move |(), value| local.record(value))
}
