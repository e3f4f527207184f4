//! The contenders, one file each: how its own documentation says to do each group's work.
//!
//! A contender that has no such metric is absent from the group. Where one does less than the work (no sum, say) its
//! note says so, and the table carries the note.

use std::hint::black_box;
use std::sync::Mutex;

use crate::contender::{Contender, Work, repeat};

pub(crate) mod channel;
pub(crate) mod fast_telemetry;
pub(crate) mod fastmetrics;
pub(crate) mod floor;
pub(crate) mod hdrhistogram;
pub(crate) mod histogram;
pub(crate) mod measured;
pub(crate) mod metrics;
pub(crate) mod metriken;
pub(crate) mod opentelemetry;
pub(crate) mod prometheus;
pub(crate) mod prometheus_client;
pub(crate) mod tach;

/// Notes that several contenders share.
pub(crate) mod notes {
    pub(crate) const NO_SUM: &str = "no sum, no count";
    pub(crate) const TORN: &str = "a scrape may see count and buckets disagree";
    pub(crate) const LOCKED: &str = "locks";
    pub(crate) const UNSEEN: &str = "a scrape sees it only after flush(), here every 64";
    pub(crate) const OWNED_KEY: &str = "label strings are copied into a key";
    pub(crate) const KEPT_KEY: &str = "key built beforehand";
}

/// A contender that renders text into a buffer it keeps, as an exporter would. Its note is the size of what it renders.
pub(crate) fn rendering(name: &'static str, render: impl Fn(&mut String) + Send + Sync + 'static) -> Contender {
    let mut text = String::new();
    render(&mut text);
    let size = format!("{} lines, {:.2} MB", text.lines().count(), text.len() as f64 / 1e6);
    reusing(name, text, String::clear, render).note(size)
}

/// The same for a format that is no text.
pub(crate) fn encoding(name: &'static str, encode: impl Fn(&mut Vec<u8>) + Send + Sync + 'static) -> Contender {
    let mut bytes = Vec::new();
    encode(&mut bytes);
    let size = format!("{:.2} MB", bytes.len() as f64 / 1e6);
    reusing(name, bytes, Vec::clear, encode).note(size)
}

fn reusing<B: Send + 'static>(
    name: &'static str,
    buffer: B,
    clear: fn(&mut B),
    render: impl Fn(&mut B) + Send + Sync + 'static,
) -> Contender {
    let buffer = Mutex::new(buffer);
    let run = move |work: &Work<'_>| {
        let mut out = buffer.lock().expect("no renderer panics");
        repeat(work, &render, |render| {
            clear(&mut out);
            render(&mut out);
            black_box(&*out);
        })
    };
    Contender::new(name, run)
}
