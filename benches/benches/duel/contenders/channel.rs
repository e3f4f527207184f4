//! The design that tach replaces: each measurement is an object handed to a thread that drains a queue.

use std::thread;

use crossbeam_channel::{Sender, unbounded};

use crate::contender::{Contender, nanos, repeat};

struct Measurement {
    metric: &'static str,
    labels: Option<Box<[(String, String)]>>,
    value: f64,
}

pub(crate) fn counter() -> Vec<Contender> {
    let queue = drained();
    vec![
        Contender::new("crossbeam-channel hand-off", move |work| {
            repeat(work, &queue, |queue| queue.send(Measurement { metric: "tokens", labels: None, value: 1.0 }))
        })
        .note("another core drains; no label is sent"),
    ]
}

pub(crate) fn histogram() -> Vec<Contender> {
    let queue = drained();
    vec![
        Contender::new("crossbeam-channel hand-off", move |work| {
            nanos(work, &queue, |queue, value| {
                queue.send(Measurement { metric: "itl", labels: None, value: value as f64 })
            })
        })
        .note("another core drains, and only adds up"),
    ]
}

/// A queue with its draining thread, which ends when the last sender is gone.
fn drained() -> Sender<Measurement> {
    let (sender, receiver) = unbounded::<Measurement>();
    thread::spawn(move || {
        let mut total = 0.0;
        for measurement in receiver {
            let labels = measurement.labels.map_or(0, |labels| labels.len());
            total += measurement.value + (measurement.metric.len() + labels) as f64;
        }
        std::hint::black_box(total)
    });
    sender
}
