//! A contender and the loops that time it.
//!
//! Every loop ends its body with a compiler fence, which is no instruction but keeps the compiler from carrying what it
//! knows of memory across it. So no contender's handle, shard pointer or bucket stays in a register from one recording to
//! the next, and the floor's sum does not either: each recording starts from memory, as it does in a program.
//! (`black_box(())` does not do that: it holds nothing that memory could hide behind.)

use std::hint::spin_loop;
use std::sync::atomic::{AtomicUsize, Ordering, compiler_fence};
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
}

impl Gate {
    pub(crate) fn new(lanes: usize) -> Gate {
        Gate { missing: AtomicUsize::new(lanes) }
    }

    fn pass(&self) {
        self.missing.fetch_sub(1, Ordering::AcqRel);
        while self.missing.load(Ordering::Acquire) != 0 {
            spin_loop();
        }
    }
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
        self.run(&Work { iterations, warm_up: iterations / 16 + 1, values, gate: &Gate::new(1) })
    }
}

/// Times `op`, repeated. What it returns is ignored, here and below.
pub(crate) fn repeat<R, F: FnMut() -> R>(work: &Work<'_>, op: F) -> Duration {
    let (_, op) = spin(work.warm_up, op);
    work.gate.pass();
    spin(work.iterations, op).0
}

/// Times `op` over the elements of `table`, in turn.
pub(crate) fn cycle<T, R, const N: usize, F: FnMut(&T) -> R>(work: &Work<'_>, table: &[T; N], op: F) -> Duration {
    let (_, op) = spin_table(work.warm_up, table, op);
    work.gate.pass();
    spin_table(work.iterations, table, op).0
}

/// Times `op` with the nanoseconds of the table.
pub(crate) fn nanos<R, F: FnMut(u64) -> R>(work: &Work<'_>, mut op: F) -> Duration {
    cycle(work, &work.values.nanos, move |&value| op(value))
}

/// Times `op` with the seconds of the table.
pub(crate) fn seconds<R, F: FnMut(f64) -> R>(work: &Work<'_>, mut op: F) -> Duration {
    cycle(work, &work.values.seconds, move |&value| op(value))
}

// Warm-up and measurement call the same instantiation, so `op` has one call site and is inlined into the loop; it moves
// in and out, so what it captured can live in registers instead of being reached through one more pointer.
#[inline(never)]
fn spin<R, F: FnMut() -> R>(iterations: u64, mut op: F) -> (Duration, F) {
    let start = Instant::now();
    for _ in 0..iterations {
        let _ = op();
        compiler_fence(Ordering::SeqCst);
    }
    (start.elapsed(), op)
}

#[inline(never)]
fn spin_table<T, R, const N: usize, F: FnMut(&T) -> R>(iterations: u64, table: &[T; N], mut op: F) -> (Duration, F) {
    const { assert!(N.is_power_of_two(), "the index is masked") };
    let start = Instant::now();
    for i in 0..iterations {
        let _ = op(&table[i as usize & (N - 1)]);
        compiler_fence(Ordering::SeqCst);
    }
    (start.elapsed(), op)
}
