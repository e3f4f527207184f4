//! The floors: what the hardware charges when nothing is measured, and for the usual atomic.

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::contender::{Contender, cycle, nanos, repeat};
use crate::values::label_sets;

/// `*p += 1` on memory. The pointer went through `black_box`, so the sum cannot stay in a register.
pub(crate) fn plain_add() -> Contender {
    Contender::new("floor: plain add", |work| {
        let mut cell = 0_u64;
        let cell = black_box(&mut cell);
        repeat(work, || *cell += 1)
    })
}

/// `*p += v` on memory, with the same table load that every histogram's loop has.
pub(crate) fn plain_add_value() -> Contender {
    Contender::new("floor: plain add of the value", |work| {
        let mut cell = 0_u64;
        let cell = black_box(&mut cell);
        nanos(work, |value| *cell += value)
    })
}

/// `*p += n`, with the same load of a label set that every look-up's loop has.
pub(crate) fn plain_add_label() -> Contender {
    Contender::new("floor: plain add", |work| {
        let mut cell = 0_usize;
        let cell = black_box(&mut cell);
        cycle(work, label_sets(), |set| *cell += set.code.len())
    })
}

pub(crate) fn counter() -> Vec<Contender> {
    let shared = AtomicU64::new(0);
    vec![Contender::new("floor: fetch_add", move |work| {
        let cell = black_box(&shared);
        repeat(work, || cell.fetch_add(1, Ordering::Relaxed))
    })]
}

pub(crate) fn gauge() -> Vec<Contender> {
    let shared = AtomicU64::new(0);
    vec![Contender::new("floor: plain store", move |work| {
        let cell = black_box(&shared);
        let value = black_box(0.5_f64);
        repeat(work, || cell.store(value.to_bits(), Ordering::Relaxed))
    })]
}

pub(crate) fn histogram() -> Vec<Contender> {
    let shared = AtomicU64::new(0);
    vec![
        Contender::new("floor: fetch_add of the value", move |work| {
            let cell = black_box(&shared);
            nanos(work, |value| cell.fetch_add(value, Ordering::Relaxed))
        })
        .note("one cell, no buckets"),
    ]
}
