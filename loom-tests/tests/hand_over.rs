//! Property: what a thread recorded before it asked for a snapshot is in the snapshot it gets, also when that was its
//! first recording; every request is answered, once; and requests that wait together share a collection.
//!
//! Mutations: hand-over, ask-wake

use loom::sync::Arc;
use loom::thread;
use loom_tests::{check, join};
use std::sync::Mutex;
use tach::model::{Exchange, Process};

#[test]
fn a_snapshot_holds_what_its_requester_recorded_before() {
    check(|| {
        let process = Process::new();
        let counter = process.registry(2).counter();
        let exchange = Arc::new(Exchange::new());
        // The answers, all given on this thread: no lock of loom's, which would order more than the engine does.
        let answers = std::sync::Arc::new(Mutex::new(Vec::new()));
        let requesters = [1, 10].map(|n| {
            let (process, counter, exchange) = (process.clone(), counter.clone(), Arc::clone(&exchange));
            let answers = std::sync::Arc::clone(&answers);
            thread::spawn(move || {
                counter.add(&process.thread(), n);
                exchange.ask(move |total| answers.lock().unwrap().push((n, total)));
            })
        });
        let mut collections = 0;
        while answers.lock().unwrap().len() < 2 {
            let batch = exchange.next().expect("nobody stops it");
            exchange.publish(batch, counter.total());
            collections += 1;
        }
        join(requesters);
        for &(recorded, total) in &*answers.lock().unwrap() {
            assert!(total == recorded || total == 11, "{total} lacks {recorded}");
        }
        assert!(collections <= 2);
        assert_eq!(exchange.latest(), Some(11));
    });
}
