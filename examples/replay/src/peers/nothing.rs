//! The engine without recording, and what a reading of the clock costs by itself.

use super::{Contender, EachToken, Record, observed};
use crate::engine::{Observer, StepFacts};
use crate::trace::Request;
use std::hint::black_box;
use std::time::Instant;
use tach::serve::Clock;

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

pub(crate) fn clocks() -> Vec<Contender> {
    let clock = Clock::new();
    vec![
        Contender::new("Clock::now alone", "one reading per token", move |trace, settings| {
            observed(trace, settings, || EachToken(Tach(clock.clone())), || None)
        }),
        Contender::new("Instant::now alone", "one reading per token", |trace, settings| {
            observed(trace, settings, || EachToken(System), || None)
        }),
    ]
}
