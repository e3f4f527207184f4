//! A contender and the loops that time it.
//!
//! Every loop hands its operation the subject (the metric) through `black_box`, each time anew. The compiler then knows
//! neither where the metric is nor what memory holds, so nothing that a recording looks up is carried over to the next
//! one, and the floor's sum does not stay in a register: each recording starts from memory, as it does in a program.
//! The pointer's way through memory, a store and a load, is in every loop alike, the floor's included.

use std::hint::{black_box, spin_loop};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::values::Values;

/// What one timed run is asked to do.
pub(crate) struct Work<'a> {
    pub(crate) iterations: u64,
    /// Untimed iterations that come first, so that no run pays for what its predecessor evicted.
    pub(crate) warm_up: u64,
    pub(crate) values: &'a Values,
    pub(crate) gate: &'a Gate,
}

/// Lets all lanes of a run start together. Spins: a futex wake would stagger them by more than a run takes.
pub(crate) struct Gate {
    missing: AtomicUsize,
    passed: Mutex<Vec<Instant>>,
}

impl Gate {
    pub(crate) fn new(lanes: usize) -> Gate {
        Gate { missing: AtomicUsize::new(lanes), passed: Mutex::new(Vec::with_capacity(lanes)) }
    }

    fn pass(&self) {
        self.missing.fetch_sub(1, Ordering::AcqRel);
        while self.missing.load(Ordering::Acquire) != 0 {
            spin_loop();
        }
        self.passed.lock().expect("nothing panics while holding it").push(Instant::now());
    }

    /// How far apart the lanes really started. On a busy machine one may wait for its core until the other is done.
    pub(crate) fn stagger(&self) -> Duration {
        let passed = self.passed.lock().expect("nothing panics while holding it");
        match (passed.iter().min(), passed.iter().max()) {
            (Some(first), Some(last)) => *last - *first,
            _ => Duration::ZERO,
        }
    }
}

/// Untimed iterations before so many timed ones.
pub(crate) fn warm_up(iterations: u64) -> u64 {
    iterations / 4 + 1
}

type Run = dyn Fn(&Work<'_>) -> Duration + Send + Sync;

/// One way to do a group's work.
pub(crate) struct Contender {
    pub(crate) name: &'static str,
    /// What the reader of the table must know to compare fairly.
    pub(crate) note: String,
    /// Whether the column "× tach" is relative to this one.
    pub(crate) reference: bool,
    /// Units of work per iteration; times are divided by it.
    pub(crate) units: f64,
    run: Box<Run>,
}

impl Contender {
    pub(crate) fn new(name: &'static str, run: impl Fn(&Work<'_>) -> Duration + Send + Sync + 'static) -> Contender {
        Contender { name, note: String::new(), reference: false, units: 1.0, run: Box::new(run) }
    }

    pub(crate) fn note(mut self, note: impl Into<String>) -> Contender {
        self.note = note.into();
        self
    }

    pub(crate) fn reference(mut self) -> Contender {
        self.reference = true;
        self
    }

    pub(crate) fn units(mut self, units: usize) -> Contender {
        self.units = units as f64;
        self
    }

    pub(crate) fn run(&self, work: &Work<'_>) -> Duration {
        (self.run)(work)
    }

    /// Runs alone and returns the time.
    pub(crate) fn run_alone(&self, iterations: u64, values: &Values) -> Duration {
        self.run(&Work { iterations, warm_up: warm_up(iterations), values, gate: &Gate::new(1) })
    }
}

/// Times `op` on `subject`, repeated. What it returns is ignored, here and below.
pub(crate) fn repeat<S, R, F: FnMut(&S) -> R>(work: &Work<'_>, subject: &S, mut op: F) -> Duration {
    cycle(work, subject, &[()], move |subject, ()| op(subject))
}

/// Times `op` over the elements of `table`, in turn.
pub(crate) fn cycle<S, T, R, const N: usize, F>(work: &Work<'_>, subject: &S, table: &[T; N], op: F) -> Duration
where
    F: FnMut(&S, &T) -> R,
{
    let (_, op) = spin(work.warm_up, subject, table, op);
    work.gate.pass();
    spin(work.iterations, subject, table, op).0
}

/// Times `op` with the nanoseconds of the table.
pub(crate) fn nanos<S, R, F: FnMut(&S, u64) -> R>(work: &Work<'_>, subject: &S, mut op: F) -> Duration {
    cycle(work, subject, &work.values.nanos, move |subject, &value| op(subject, value))
}

/// Times `op` with the seconds of the table.
pub(crate) fn seconds<S, R, F: FnMut(&S, f64) -> R>(work: &Work<'_>, subject: &S, mut op: F) -> Duration {
    cycle(work, subject, &work.values.seconds, move |subject, &value| op(subject, value))
}

// Warm-up and measurement call the same instantiation, so `op` has one call site and is inlined into the loop; it moves
// in and out, so what it captured can live in registers instead of being reached through one more pointer.
#[inline(never)]
fn spin<S, T, R, const N: usize, F>(iterations: u64, subject: &S, table: &[T; N], mut op: F) -> (Duration, F)
where
    F: FnMut(&S, &T) -> R,
{
    const { assert!(N.is_power_of_two(), "the index is masked") };
    let start = Instant::now();
    for i in 0..iterations {
        let _ = op(black_box(subject), &table[i as usize & (N - 1)]);
    }
    (start.elapsed(), op)
}
