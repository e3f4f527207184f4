//! A replica to be scraped: replays the trace as time goes by, under /metrics, and writes down what exactly there was.

mod paced;
mod written;

use crate::account::{Account, Blank, Book};
use crate::engine::{self, Settings, Start};
use crate::full::{self, Full, Way};
use crate::options::Options;
use crate::trace::{self, Request};
use crossbeam_channel::{Receiver, bounded};
use paced::{Pace, Paced};
use std::io;
use std::path::Path;
use std::thread;
use tach::serve::{Clock, Identity, METRICS, Profile, Profiles};
use tach::{Exporter, Level, Registry};

/// How often the trace is replayed unless told.
const ROUNDS: usize = 10;

/// Serves until it is ended: by the end of its input where there is an account to write, else from outside.
pub(crate) fn run(trace: &[Request], options: &Options) -> Result<(), String> {
    let error = |error: tach::Error| error.to_string();
    let trace = trace::repeated(trace, options.rounds.unwrap_or(ROUNDS), options.seed);
    let registry = Registry::builder().level(Level::Detailed).build().map_err(error)?;
    let profiles = Profiles::new(&[Profile::MaxServe, Profile::Vllm], &Identity::default()).map_err(error)?;
    METRICS.attach(&registry, &profiles, full::objectives(), Clock::new()).map_err(error)?;
    let exporter = Exporter::builder().listen(&options.listen).view(move |snapshot| profiles.apply(snapshot));
    let exporter = exporter.start(&registry).map_err(error)?;
    println!("serving http://{}/metrics", exporter.local_addr());

    // Requests come as fast as in the trace: each process has the whole of it.
    let settings = Settings { speed: 10, ..Settings::new(options.workers.unwrap_or(1)) };
    let Some(path) = &options.account else {
        // Kept until the end: a channel without senders stops the replay.
        let (_running, stop) = bounded(0);
        watch::<Blank>(&trace, &settings, options.speed, &stop);
        println!("the trace is over");
        loop {
            thread::park();
        }
    };
    line()?;
    let (running, stop) = bounded(0);
    let input = thread::spawn(move || {
        let stopped = line();
        drop(running);
        stopped?;
        while line()? {}
        Ok(())
    });
    let books = watch::<Account>(&trace, &settings, options.speed, &stop);
    write(path, books)?;
    println!("written {}", path.display());
    input.join().expect("reading does not panic")
}

/// Waits for a line of the input. False where that has ended.
fn line() -> Result<bool, String> {
    let read = io::stdin().read_line(&mut String::new());
    read.map(|bytes| bytes > 0).map_err(|error| format!("the standard input: {error}"))
}

/// Replays until the trace is over, or `stop` has no senders.
fn watch<B: Book>(trace: &[Request], settings: &Settings, speed: u64, stop: &Receiver<()>) -> Vec<B> {
    let pace = Pace::new(speed, stop.clone());
    let observe = || Paced::new(Full::<B>::new(&METRICS, Way::Mixed, None), pace.clone());
    let outcome = engine::run(trace, settings, Start::Meanwhile, observe);
    outcome.observers.into_iter().map(|observer| observer.into_inner().book).collect()
}

fn write(path: &Path, books: Vec<Account>) -> Result<(), String> {
    let text = written::account(Account::merged(books));
    std::fs::write(path, text).map_err(|error| format!("{}: {error}: give --account a file", path.display()))
}
