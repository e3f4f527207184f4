//! The queue hand-off: each measurement becomes an object with a name, which another thread takes off a queue without
//! bounds and commits to the metric of that name.

use super::prometheus::Families;
use super::{Contender, EachToken, Record, observed};
use crate::cpu;
use crossbeam_channel::{Receiver, Sender, unbounded};
use std::collections::HashMap;
use std::thread;
use std::time::Duration;

struct Measurement {
    name: &'static str,
    value: f64,
    /// None here, as the two measurements of a token have none in the reference system.
    labels: Option<Box<[(String, String)]>>,
}

#[derive(Clone)]
struct Queue(Sender<Box<Measurement>>);

impl Queue {
    #[inline]
    fn send(&self, name: &'static str, value: f64) {
        let measurement = Box::new(Measurement { name, value, labels: None });
        self.0.send(measurement).expect("the other thread takes all there is");
    }
}

impl Record for Queue {
    #[inline]
    fn token(&mut self, gap: Option<u64>) {
        if let Some(gap) = gap {
            self.send("itl", gap as f64 / 1e6);
        }
        self.send("num_output_tokens", 1.0);
    }
}

/// What the other thread did.
struct Committed {
    cpu: Duration,
    backlog: usize,
}

fn commit(queue: &Receiver<Box<Measurement>>, families: &Families) -> Committed {
    type Commit = Box<dyn Fn(f64)>;
    let held = families.held();
    let (tokens, itl) = (held.tokens, held.itl);
    let instruments: HashMap<&str, Commit> = HashMap::from([
        ("itl", Box::new(move |value: f64| itl.observe(value / 1e3)) as Commit),
        ("num_output_tokens", Box::new(move |value: f64| tokens.inc_by(value as u64))),
    ]);
    let before = cpu::of_this_thread();
    let mut backlog = 0;
    for (taken, measurement) in (0_u64..).zip(queue) {
        if taken.is_multiple_of(1024) {
            backlog = backlog.max(queue.len());
        }
        if measurement.labels.is_none()
            && let Some(commit) = instruments.get(measurement.name)
        {
            commit(measurement.value);
        }
    }
    Committed { cpu: cpu::of_this_thread() - before, backlog }
}

pub(crate) fn contender() -> Result<Contender, prometheus::Error> {
    let families = Families::new()?;
    Ok(Contender::new("queue of boxed measurements", "committed by another thread", move |trace, settings| {
        let (sender, receiver) = unbounded();
        let counted = || Some(families.held().tokens.get());
        let before = counted();
        let (mut run, committed) = thread::scope(|scope| {
            let consumer = scope.spawn(|| commit(&receiver, &families));
            let queue = Queue(sender);
            let run = observed(trace, settings, || EachToken(queue.clone()), || None);
            drop(queue);
            (run, consumer.join().expect("committing does not panic"))
        });
        run.counted = counted().zip(before).map(|(after, before)| after - before);
        run.elsewhere = committed.cpu;
        run.backlog = committed.backlog;
        run
    }))
}
