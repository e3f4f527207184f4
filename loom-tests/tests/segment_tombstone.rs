//! Property: a reader in another process takes no other series' value for a removed one's, whoever removed it and whoever
//! gives its cells to another.
//!
//! Mutations: segment-tombstone, segment-tombstone-load

use loom::sync::{Arc, Mutex};
use loom::thread;
use loom_tests::check_fully;
use tach::segment_model::Words;

#[test]
fn a_removed_series_is_dropped_or_as_it_was() {
    check_fully(|| {
        let words = Words::new(2);
        words.begin(7);
        let given_back = Arc::new(Mutex::new(false));
        let remover = {
            let (words, given_back) = (words.clone(), Arc::clone(&given_back));
            thread::spawn(move || {
                words.remove();
                *given_back.lock().unwrap() = true;
            })
        };
        let reuser = {
            let (words, given_back) = (words.clone(), Arc::clone(&given_back));
            thread::spawn(move || {
                if *given_back.lock().unwrap() {
                    words.reuse(1);
                }
            })
        };
        let found = words.value();
        remover.join().unwrap();
        reuser.join().unwrap();
        assert!(found.is_none_or(|value| value == 7), "{found:?}");
        assert_eq!(words.value(), None);
    });
}
