//! Property: stopping wakes the collector and ends it, and a request made around then is answered or dropped, once; a
//! tick wakes the collector too. Nobody waits for ever.
//!
//! Mutations: stop-wake, tick-wake

use loom::sync::Arc;
use loom::thread;
use loom_tests::{check, check_fully};
use std::sync::atomic::{AtomicUsize, Ordering};
use tach::model::Exchange;

/// Counts requests as they end, answered or not.
struct Request(std::sync::Arc<AtomicUsize>);

impl Drop for Request {
    fn drop(&mut self) {
        // Relaxed: read after the threads were joined, and no matter of loom's.
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn stopping_ends_the_collector_and_every_request() {
    check(|| {
        let exchange = Arc::new(Exchange::new());
        let ended = std::sync::Arc::new(AtomicUsize::new(0));
        let collector = {
            let exchange = Arc::clone(&exchange);
            thread::spawn(move || {
                while let Some(batch) = exchange.next() {
                    exchange.publish(batch, ());
                }
            })
        };
        let requester = {
            let (exchange, request) = (Arc::clone(&exchange), Request(std::sync::Arc::clone(&ended)));
            thread::spawn(move || exchange.ask(move |()| drop(request)))
        };
        exchange.stop();
        collector.join().unwrap();
        requester.join().unwrap();
        assert_eq!(ended.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn a_tick_wakes_the_collector() {
    check_fully(|| {
        let exchange = Arc::new(Exchange::<()>::new());
        let ticker = {
            let exchange = Arc::clone(&exchange);
            thread::spawn(move || exchange.tick())
        };
        let woken = exchange.next().is_some();
        ticker.join().unwrap();
        assert!(woken);
    });
}
