//! Where the workers of a step meet.
//!
//! A barrier with two additions: the last to arrive changes the shared value before anyone goes on, and a worker that
//! panics opens the gate for good instead of leaving the others waiting for ever.
//!
//! The value sits behind a mutex, so whatever a worker did before it arrived is visible to the one that comes last, and
//! what that one does is visible to all who leave.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// See the module.
#[derive(Debug)]
pub(crate) struct Gate<T> {
    inner: Mutex<Inner<T>>,
    opened: Condvar,
    parties: usize,
}

#[derive(Debug)]
struct Inner<T> {
    value: T,
    arrived: usize,
    /// Counts the meetings, so that a fast worker's next arrival is not taken for this one.
    meeting: u64,
    broken: bool,
}

impl<T> Gate<T> {
    /// A gate that opens when `parties` have arrived.
    pub(crate) fn new(parties: usize, value: T) -> Self {
        let inner = Inner { value, arrived: 0, meeting: 0, broken: false };
        Self { inner: Mutex::new(inner), opened: Condvar::new(), parties }
    }

    /// Waits for the others. The last to arrive runs `turn`; then everyone reads the value with `look`.
    ///
    /// `None` when a party has panicked: nothing more will come, leave.
    pub(crate) fn meet<R>(&self, turn: impl FnOnce(&mut T), look: impl FnOnce(&T) -> R) -> Option<R> {
        let mut inner = self.lock();
        if inner.broken {
            return None;
        }
        inner.arrived += 1;
        if inner.arrived == self.parties {
            turn(&mut inner.value);
            inner.arrived = 0;
            inner.meeting += 1;
            self.opened.notify_all();
        } else {
            let meeting = inner.meeting;
            inner = self
                .opened
                .wait_while(inner, |inner| inner.meeting == meeting && !inner.broken)
                .unwrap_or_else(PoisonError::into_inner);
            if inner.meeting == meeting {
                return None;
            }
        }
        Some(look(&inner.value))
    }

    /// Uses the value from outside.
    pub(crate) fn with<R>(&self, look: impl FnOnce(&mut T) -> R) -> R {
        look(&mut self.lock().value)
    }

    /// Each party holds one of these: dropped by a panic, it releases the others.
    pub(crate) fn party(&self) -> Party<'_, T> {
        Party(self)
    }

    fn lock(&self) -> MutexGuard<'_, Inner<T>> {
        // A panic inside `turn` poisons the lock; `Party` has then marked the gate, which is what the others go by.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// See [`Gate::party`].
#[derive(Debug)]
pub(crate) struct Party<'a, T>(&'a Gate<T>);

impl<T> Drop for Party<'_, T> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.lock().broken = true;
            self.0.opened.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_party_turns_the_value_and_all_see_it() {
        let gate = Gate::new(3, 0u64);
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    for round in 1..=500 {
                        assert_eq!(gate.meet(|value| *value += 1, |value| *value), Some(round));
                    }
                });
            }
        });
        assert_eq!(gate.with(|value| *value), 500);
    }

    #[test]
    fn a_panic_releases_the_others() {
        let gate = Gate::new(2, ());
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                let _party = gate.party();
                gate.meet(|()| (), |()| ())
            });
            let failing = scope.spawn(|| {
                let _party = gate.party();
                std::panic::resume_unwind(Box::new("on purpose"));
            });
            assert!(failing.join().is_err());
            assert_eq!(waiting.join().unwrap(), None);
        });
        assert_eq!(gate.meet(|()| (), |()| ()), None);
    }
}
