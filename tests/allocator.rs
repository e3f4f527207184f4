//! A program that counts its own allocations: recording happens inside the allocator, also while a thread adopts its
//! shard.

#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::OnceLock;
use tach::{Counter, Registry};

static ALLOCATIONS: OnceLock<Counter> = OnceLock::new();

struct Counting;

// SAFETY: passes every call on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if let Some(counter) = ALLOCATIONS.get() {
            counter.inc();
        }
        // SAFETY: the caller's contract is the system's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: as in `alloc`.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static GLOBAL: Counting = Counting;

#[test]
fn recordings_of_an_allocator_are_exact_and_no_shard_has_two_writers() {
    let registry = Registry::new();
    let work = registry.counter("work").build().unwrap();
    // This thread has a shard before the allocator records, as the documentation asks of the one that makes metrics.
    work.inc();
    ALLOCATIONS.set(registry.counter("allocations").build().unwrap()).unwrap();
    for _ in 0..50 {
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for n in 0..2_000 {
                        work.inc();
                        if n % 100 == 0 {
                            drop(std::hint::black_box(vec![0_u8; 100]));
                        }
                    }
                });
            }
        });
    }
    let snapshot = registry.snapshot();
    assert_eq!(snapshot.counter("work", &[]), Some(1 + 50 * 4 * 2_000));
    assert!(snapshot.counter("allocations", &[]).unwrap() >= 50 * 4 * 20);
}
