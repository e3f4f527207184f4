//! The one place that chooses between the standard library and loom.
//!
//! Nothing else in the crate names `std::sync::atomic`, `parking_lot` or `loom`. Under `--cfg tach_loom` (set by
//! `loom-tests/`, never by a user) the same code runs on loom's model of the memory system, and small constants shrink.

#[cfg(not(tach_loom))]
mod imp {
    pub(crate) use parking_lot::{Condvar, Mutex};
    pub(crate) use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence};
    pub(crate) use std::sync::{Arc, MutexGuard as ForkGuard};

    /// A lock that may be held across `fork`: the child can let go of it although threads waited for it that the child
    /// has not. (`parking_lot` keeps its waiters in a table of the process, and may hand the lock to one of them.)
    #[derive(Debug)]
    pub(crate) struct ForkMutex<T>(std::sync::Mutex<T>);

    impl<T> ForkMutex<T> {
        pub(crate) const fn new(value: T) -> Self {
            Self(std::sync::Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> ForkGuard<'_, T> {
            self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
        }

        /// `None` where somebody has it.
        pub(crate) fn try_lock(&self) -> Option<ForkGuard<'_, T>> {
            self.0.try_lock().ok()
        }
    }

    /// Waits until notified. Spurious wake-ups happen: wait in a loop.
    pub(crate) fn wait<'a, T>(
        condvar: &Condvar,
        mut guard: parking_lot::MutexGuard<'a, T>,
    ) -> parking_lot::MutexGuard<'a, T> {
        condvar.wait(&mut guard);
        guard
    }
}

#[cfg(tach_loom)]
mod imp {
    pub(crate) use loom::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence};
    pub(crate) use loom::sync::{Arc, Condvar, MutexGuard as ForkGuard};

    /// In a model nothing forks.
    pub(crate) type ForkMutex<T> = Mutex<T>;

    /// loom's mutex with `parking_lot`'s signature: no poisoning.
    #[derive(Debug)]
    pub(crate) struct Mutex<T>(loom::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(loom::sync::Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> loom::sync::MutexGuard<'_, T> {
            self.0.lock().expect("a model that panics has failed already")
        }
    }

    /// Waits until notified.
    pub(crate) fn wait<'a, T>(
        condvar: &Condvar,
        guard: loom::sync::MutexGuard<'a, T>,
    ) -> loom::sync::MutexGuard<'a, T> {
        condvar.wait(guard).expect("a model that panics has failed already")
    }
}

pub(crate) use imp::*;
