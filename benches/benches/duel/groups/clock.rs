//! Reading the clock, for scale: it costs more than any recording here.

use std::hint::black_box;
use std::time::Instant;

use crate::contender::{Contender, repeat};
use crate::contenders::floor;
use crate::groups::Group;

pub(crate) fn group() -> Group {
    let quanta = quanta::Clock::new();
    let raw = quanta.clone();
    let contenders = vec![
        Contender::new("std Instant::now", |work| repeat(work, &(), |()| black_box(Instant::now()))),
        Contender::new("quanta Clock::now", move |work| repeat(work, &quanta, |quanta| black_box(quanta.now()))),
        Contender::new("quanta Clock::raw", move |work| repeat(work, &raw, |raw| black_box(raw.raw())))
            .note("the bare time stamp counter"),
    ];
    Group::new("clock", floor::plain_add(), contenders)
}
