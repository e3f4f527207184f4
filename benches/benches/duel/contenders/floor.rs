//! The floors: what the hardware charges when nothing is measured, and for the usual atomic.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering, compiler_fence};

use crate::contender::{Contender, Work, cycle, nanos, repeat};
use crate::values::label_sets;

/// `*p += 1` on memory.
pub(crate) fn plain_add() -> Contender {
    Contender::new("floor: plain add", |work| {
        let cell = Cell::new(0_u64);
        repeat(work, &cell, |cell| cell.set(cell.get() + 1))
    })
}

/// `*p += v` on memory, with the same table load that every histogram's loop has.
pub(crate) fn plain_add_value() -> Contender {
    Contender::new("floor: plain add of the value", |work| {
        let cell = Cell::new(0_u64);
        nanos(work, &cell, |cell, value| cell.set(cell.get() + value))
    })
}

/// `*p += n`, with the same load of a label set that every look-up's loop has.
pub(crate) fn plain_add_label() -> Contender {
    Contender::new("floor: plain add", |work| {
        let cell = Cell::new(0_usize);
        cycle(work, &cell, label_sets(), |cell, set| cell.set(cell.get() + set.code.len()))
    })
}

/// The same with the pointer in a register for 16 additions: how much of the floor is the pointer's way through memory.
fn in_register() -> Contender {
    const BATCH: usize = 16;
    let run = |work: &Work<'_>| {
        let cell = Cell::new(0_u64);
        repeat(work, &cell, |cell| {
            for _ in 0..BATCH {
                cell.set(cell.get() + 1);
                compiler_fence(Ordering::SeqCst); // No instruction; keeps the additions apart.
            }
        })
    };
    Contender::new("floor: plain add, pointer in a register", run).units(BATCH)
}

pub(crate) fn counter() -> Vec<Contender> {
    let shared = AtomicU64::new(0);
    let run = move |work: &Work<'_>| repeat(work, &shared, |cell| cell.fetch_add(1, Ordering::Relaxed));
    vec![Contender::new("floor: fetch_add", run), in_register()]
}

pub(crate) fn gauge() -> Vec<Contender> {
    let shared = AtomicU64::new(0);
    let run = move |work: &Work<'_>| repeat(work, &shared, |cell| cell.store(0.5_f64.to_bits(), Ordering::Relaxed));
    vec![Contender::new("floor: plain store", run)]
}

pub(crate) fn histogram() -> Vec<Contender> {
    let shared = AtomicU64::new(0);
    let run = move |work: &Work<'_>| nanos(work, &shared, |cell, value| cell.fetch_add(value, Ordering::Relaxed));
    vec![Contender::new("floor: fetch_add of the value", run).note("one cell, no buckets")]
}
