//! Property: a reader in another process finds every record that is published whole, and in its place.
//!
//! Mutations: segment-record, segment-record-load

use loom::thread;
use loom_tests::check_fully;
use tach::segment_model::Words;

#[test]
fn a_published_record_is_whole() {
    check_fully(|| {
        let words = Words::new(5);
        let writer = {
            let words = words.clone();
            thread::spawn(move || {
                words.append(0, [11, 12]);
                words.append(1, [21, 22]);
            })
        };
        let (early, late) = (words.records(), words.records());
        writer.join().unwrap();
        let all = [[11, 12], [21, 22]];
        assert!(early.len() <= late.len());
        for found in [&early, &late, &words.records()] {
            assert_eq!(found[..], all[..found.len()]);
        }
        assert_eq!(words.records().len(), 2);
    });
}
