//! Keeping an account, or not.

use super::life::Story;
use super::{Account, Entry, Labels};
use crate::engine::{End, StepFacts};
use crate::trace::Request;

/// What is told of a run beside tach.
pub(crate) trait Book: Default + Send {
    /// What it notes of a request, which goes with its ticket.
    type Story: Send + 'static;

    fn count(&mut self, name: &'static str, labels: Labels, n: u64);
    fn level(&mut self, name: &'static str, labels: Labels, n: i64);
    fn last(&mut self, name: &'static str, labels: Labels, value: f64);
    /// A value of a distribution, in ticks.
    fn value(&mut self, name: &'static str, labels: Labels, ticks: u64);

    /// `ready` is when its input is tokenized.
    fn arrived(&mut self, request: &Request, ready: u64) -> Self::Story;
    fn queued(&mut self, story: &mut Self::Story);
    fn idle(&mut self, now: u64);
    fn scheduled(&mut self, story: &mut Self::Story, now: u64);
    fn preempted(&mut self, story: &mut Self::Story);
    fn tokens(&mut self, story: &mut Self::Story, n: u64, now: u64);
    /// A step is over. `output` is the number of tokens that it was told of.
    fn step(&mut self, step: &StepFacts, output: u64);
    /// `gone` is when the request's end was noticed.
    fn finished(&mut self, story: Self::Story, end: End, gone: u64);
}

/// Keeps no account.
#[derive(Debug, Default)]
pub(crate) struct Blank;

impl Book for Blank {
    type Story = ();

    fn count(&mut self, _: &'static str, _: Labels, _: u64) {}
    fn level(&mut self, _: &'static str, _: Labels, _: i64) {}
    fn last(&mut self, _: &'static str, _: Labels, _: f64) {}
    fn value(&mut self, _: &'static str, _: Labels, _: u64) {}
    fn arrived(&mut self, _: &Request, _: u64) {}
    fn queued(&mut self, (): &mut ()) {}
    fn idle(&mut self, _: u64) {}
    fn scheduled(&mut self, (): &mut (), _: u64) {}
    fn preempted(&mut self, (): &mut ()) {}
    fn tokens(&mut self, (): &mut (), _: u64, _: u64) {}
    fn step(&mut self, _: &StepFacts, _: u64) {}
    fn finished(&mut self, (): (), _: End, _: u64) {}
}

impl Account {
    fn entry(&mut self, name: &'static str, labels: Labels, empty: Entry) -> &mut Entry {
        self.series.entry((name, labels)).or_insert(empty)
    }
}

impl Book for Account {
    type Story = Story;

    fn count(&mut self, name: &'static str, labels: Labels, n: u64) {
        self.entry(name, labels, Entry::Count(0)).join(Entry::Count(n));
    }

    fn level(&mut self, name: &'static str, labels: Labels, n: i64) {
        self.entry(name, labels, Entry::Level(0)).join(Entry::Level(n));
    }

    fn last(&mut self, name: &'static str, labels: Labels, value: f64) {
        *self.entry(name, labels, Entry::Last(Vec::new())) = Entry::Last(vec![value]);
    }

    fn value(&mut self, name: &'static str, labels: Labels, ticks: u64) {
        if let Entry::Values(values) = self.entry(name, labels, Entry::Values(Vec::new())) {
            values.push(ticks);
        }
    }

    fn arrived(&mut self, request: &Request, ready: u64) -> Story {
        self.begin(request, ready)
    }

    fn queued(&mut self, story: &mut Story) {
        self.admit(story);
    }

    fn idle(&mut self, now: u64) {
        self.last_step = now;
    }

    fn scheduled(&mut self, story: &mut Story, now: u64) {
        self.place(story, now);
    }

    fn preempted(&mut self, story: &mut Story) {
        self.displace(story);
    }

    fn tokens(&mut self, story: &mut Story, n: u64, now: u64) {
        self.output(story, n, now);
    }

    fn step(&mut self, step: &StepFacts, output: u64) {
        self.batch(step, output);
    }

    fn finished(&mut self, story: Story, end: End, gone: u64) {
        self.end(&story, end, gone);
    }
}
