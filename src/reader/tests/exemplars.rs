//! Slots for exemplars that no writer of ours has written, or not to the end.

use super::{Folder, Made, metric, room, series};
use crate::segment::record::{Record, SeriesRecord, SlotsRecord};

const SECOND: u64 = 1_000_000_000;

fn with_slots(record: Record, at: u64, slots: u64) -> Record {
    let Record::Series(record) = record else { unreachable!() };
    Record::Series(SeriesRecord { exemplars: Some(SlotsRecord { at, slots }), ..record })
}

#[test]
fn a_slot_that_says_what_cannot_be_is_left_out() {
    let folder = Folder::new("slots");
    let mut records = room(1000);
    records.extend([metric(5, "h"), with_slots(series(2, 0, 0, 8), 400, 5)]);
    records.extend([metric(1, "c"), with_slots(series(4, 0, 500, 0), 510, 2)]);
    records.extend([metric(2, "f"), with_slots(series(6, 0, 501, 0), 530, 3)]);
    let slot = |number: u64, value: u64, trace: u64, span: u64| [number, value, SECOND, trace, 0, span];
    // A histogram of one value, 7.
    let mut header = [0; 8 + 8];
    (header[0], header[1], header[2], header[3], header[8 + 7]) = (1, 7, 7, !7, 1);
    // In disorder; being written; without a trace, without a span; larger than any value is recorded as.
    let slots = [slot(4, 70, 1, 1), slot(3, 5, 1, 1), slot(2, 5, 0, 1), slot(2, 5, 1, 0), slot(2, 7, 2, 2)].concat();
    let made = Made::new(&records, 1000).cells(0, &header).cells(400, &slots).cells(500, &[9, 1.5_f64.to_bits()]);
    let floats = [f64::NAN.to_bits(), (-1.0_f64).to_bits(), f64::INFINITY.to_bits()];
    let floats = floats.map(|bits| slot(2, bits, 1, 1)).concat();
    let made = made.cells(510, &[slot(2, u64::MAX, 1, 1), slot(1, 3, 1, 1)].concat()).cells(530, &floats);
    let reading = made.clone().cells(400 + 1, &[1 << 40]).read(&folder);
    assert_eq!(reading.faults, [] as [String; 0]);
    let found = |name| reading.snapshot.exemplar(name, &[]).map(|exemplar| exemplar.value);
    assert_eq!((found("c"), found("f")), (Some(u64::MAX as f64), None));
    let values = |reading: &crate::reader::Reading| -> Vec<f64> {
        reading.snapshot.histogram("h", &[]).unwrap().exemplars().map(|exemplar| exemplar.value).collect()
    };
    assert_eq!(values(&reading), [7.0]);
    // In the order of values, whatever that of the slots.
    assert_eq!(values(&made.read(&folder)), [7.0, 70.0]);
}

#[test]
fn slots_have_room_of_their_own() {
    let folder = Folder::new("slots-room");
    let faults = |at: u64, slots: u64| {
        let records = [room(1000), vec![metric(1, "c"), with_slots(series(2, 0, 0, 0), at, slots)]].concat();
        let reading = Made::new(&records, 1000).read(&folder);
        (reading.faults.len(), reading.snapshot.counter("c", &[]))
    };
    assert_eq!(faults(1, 64), (0, Some(0)));
    for (at, slots) in [(1, 65), (995, 1), (u64::MAX, 1), (u64::MAX - 5, 1), (0, u64::MAX)] {
        assert_eq!(faults(at, slots), (1, None), "{at}, {slots}");
    }
    // In the cells of another series, or in its own.
    let records = vec![metric(1, "c"), with_slots(series(2, 0, 0, 0), 4, 1), metric(1, "d"), series(4, 0, 9, 0)];
    let reading = Made::new(&[room(1000), records].concat(), 1000).read(&folder);
    assert_eq!((reading.faults.len(), reading.snapshot.counter("d", &[])), (1, None));
    assert_eq!(faults(0, 1), (1, None));
}
