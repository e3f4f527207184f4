//! tach: by the methods of `Metrics`, by timers, by steps, and the whole catalogue.

use super::{Contender, EachToken, Record, observed};
use crate::account::Blank;
use crate::engine::{End, Observer, StepFacts};
use crate::full::{Full, Way};
use crate::trace::Request;
use std::time::Duration;
use tach::serve::{
    Clock, Finish, Identity, METRICS, Metrics, Objectives, Profile, Profiles, RequestTimer, Stamp, StepTimer,
};
use tach::{Recording, Registry};

struct Methods(&'static Metrics);

impl Record for Methods {
    #[inline]
    fn token(&mut self, gap: Option<u64>) {
        if let Some(gap) = gap {
            self.0.itl(Duration::from_nanos(gap));
        }
        self.0.output_tokens(1);
    }
}

/// As [`Methods`], by a program that reads the clock for each token.
struct Clocked {
    metrics: &'static Metrics,
    clock: Clock,
    last: Stamp,
}

impl Record for Clocked {
    #[inline]
    fn token(&mut self, gap: Option<u64>) {
        let now = self.clock.now();
        let since = now.since(std::mem::replace(&mut self.last, now));
        if gap.is_some() {
            self.metrics.itl(Duration::from_nanos(since));
        }
        self.metrics.output_tokens(1);
    }
}

/// Whether and how timers are told of tokens.
#[derive(Clone, Copy)]
enum Told {
    Not,
    Each,
    /// By a stamp of the step's.
    At,
    Step,
}

/// Timers that read the real clock.
struct Timers {
    steps: StepTimer<'static>,
    told: Told,
}

impl Observer for Timers {
    type Ticket = RequestTimer;

    fn arrived(&mut self, _: &Request) -> RequestTimer {
        RequestTimer::arrived(&METRICS)
    }

    fn scheduled(&mut self, timer: &mut RequestTimer, _: u64) {
        timer.scheduled();
    }

    fn preempted(&mut self, timer: &mut RequestTimer) {
        timer.preempted();
    }

    fn step<'t>(&mut self, _: &StepFacts, tokens: impl Iterator<Item = (&'t mut RequestTimer, u64)>) {
        match self.told {
            Told::Not => tokens.for_each(drop),
            Told::Each => tokens.for_each(|(timer, n)| timer.tokens(n)),
            Told::At => {
                let now = self.steps.step().now();
                tokens.for_each(|(timer, n)| timer.tokens_at(n, now));
            }
            Told::Step => {
                let mut step = self.steps.step();
                tokens.for_each(|(timer, _)| step.token(timer));
            }
        }
    }

    fn finished(&mut self, timer: RequestTimer, _: &Request, _: End, _: u64) {
        timer.finished(Finish::Stop);
    }
}

/// All of them. `METRICS` records from now on.
pub(crate) fn contenders() -> Result<Vec<Contender>, tach::Error> {
    let registry = Registry::new();
    let profiles = Profiles::new(&[Profile::MaxServe], &Identity::default())?;
    METRICS.attach(&registry, &profiles, Objectives::default(), Clock::new())?;
    let switched_off: &'static Metrics = Box::leak(Box::new(Metrics::new()));
    let noop = Registry::builder().recording(Recording::Noop).build()?;
    switched_off.attach(&noop, &profiles, Objectives::default(), Clock::new())?;
    let detached: &'static Metrics = Box::leak(Box::new(Metrics::new()));

    let counted = move || registry.snapshot().counter("maxserve.num_output_tokens", &[]);
    let methods = |name, note, metrics: &'static Metrics, counted: Box<dyn Fn() -> Option<u64>>| {
        Contender::new(name, note, move |trace, settings| {
            observed(trace, settings, || EachToken(Methods(metrics)), &counted)
        })
    };
    let timers = |name, note, told, counted: Box<dyn Fn() -> Option<u64>>| {
        let observe = move || Timers { steps: StepTimer::new(&METRICS), told };
        Contender::new(name, note, move |trace, settings| observed(trace, settings, observe, &counted))
    };
    Ok(vec![
        methods("tach METRICS, never attached", "", detached, Box::new(|| None)),
        methods("tach METRICS, Recording::Noop", "", switched_off, Box::new(|| None)),
        methods("tach METRICS.itl + .output_tokens", "", &METRICS, Box::new(counted.clone())),
        Contender::new("tach the same after Clock::now", "a clock reading each", {
            let counted = counted.clone();
            move |trace, settings| {
                let observe = || {
                    let clock = Clock::new();
                    EachToken(Clocked { metrics: &METRICS, last: clock.now(), clock })
                };
                observed(trace, settings, observe, &counted)
            }
        }),
        timers("tach RequestTimer, not told of tokens", "its life only", Told::Not, Box::new(|| None)),
        timers("tach RequestTimer::tokens", "a clock reading each", Told::Each, Box::new(counted.clone())),
        timers("", "a clock reading each", Told::Each, Box::new(counted.clone()))
            .busy("tach RequestTimer::tokens, engine busy"),
        timers("tach RequestTimer::tokens_at", "a clock reading per step", Told::At, Box::new(counted.clone())),
        timers("tach Step::token", "a clock reading per step", Told::Step, Box::new(counted.clone())),
        Contender::new(
            "tach, the whole catalogue",
            "Step::token, and all that is recorded per request and step",
            move |trace, settings| {
                observed(trace, settings, || Full::<Blank>::new(&METRICS, Way::Step, None), &counted)
            },
        ),
    ])
}
