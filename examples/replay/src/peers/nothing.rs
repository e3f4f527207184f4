//! The engine without recording, and what a reading of the clock costs by itself.

use super::{Contender, EachToken, Record, observed};
use crate::engine::{Observer, StepFacts};
use crate::trace::Request;
use std::hint::black_box;
use std::time::Instant;
use tach::serve::{Clock, Stamp};

struct Nothing;

impl Observer for Nothing {
    type Ticket = ();

    fn arrived(&mut self, _: &Request) {}

    fn step<'t>(&mut self, _: &StepFacts, tokens: impl Iterator<Item = (&'t mut (), u64)>) {
        tokens.for_each(drop);
    }
}

/// What all others are compared with.
pub(crate) fn nothing() -> Contender {
    Contender::new("nothing", "", |trace, settings| observed(trace, settings, || Nothing, || None))
}

struct Tach(Clock);

impl Record for Tach {
    fn token(&mut self, _: Option<u64>) {
        black_box(self.0.now());
    }
}

struct System;

impl Record for System {
    fn token(&mut self, _: Option<u64>) {
        black_box(Instant::now());
    }
}

/// A clock reading that something waits for: the place of an addition depends on it, as in a histogram.
struct Place {
    clock: Clock,
    last: Stamp,
    table: Vec<u64>,
}

impl Record for Place {
    fn token(&mut self, _: Option<u64>) {
        let now = self.clock.now();
        let since = now.since(std::mem::replace(&mut self.last, now));
        let place = (since / 8) as usize % self.table.len();
        self.table[place] += 1;
    }
}

pub(crate) fn clocks() -> Vec<Contender> {
    let clock = Clock::new();
    let alone = |clock: &Clock| {
        let clock = clock.clone();
        Contender::new("Clock::now alone", "a reading per token", move |trace, settings| {
            observed(trace, settings, || EachToken(Tach(clock.clone())), || None)
        })
    };
    let busy = alone(&clock).busy("Clock::now alone, engine busy");
    let first = alone(&clock);
    vec![
        first,
        busy,
        Contender::new(
            "Clock::now, and an addition by it",
            "the place in a table depends on it",
            move |trace, settings| {
                let place = || Place { clock: clock.clone(), last: clock.now(), table: vec![0; 1 << 14] };
                observed(trace, settings, || EachToken(place()), || None)
            },
        ),
        Contender::new("Instant::now alone", "a reading per token", |trace, settings| {
            observed(trace, settings, || EachToken(System), || None)
        }),
    ]
}
