//! Parts of a server that not each has, recorded by their names as a binding to another language would.

use crate::account::{Book, Labels};
use crate::engine::mix;
use tach::serve::{Instrument, Kind, Measurement, MetricClient, Metrics, Origin, catalogue};

/// A request has arrived.
pub(super) fn request(metrics: &'static Metrics, book: &mut impl Book, index: u64) {
    let client = MetricClient::new(metrics);
    // What the timers record is told elsewhere.
    let parts = catalogue().filter(|row| row.origin == Origin::Needed && row.name != "itl_per_token");
    for (i, row) in (index..).zip(parts) {
        let n = 1 + mix(i) % 1_000;
        let labels = labels(row, i);
        let attributes: Vec<_> = labels.into_iter().filter(|(name, _)| !name.is_empty()).collect();
        let value = if row.kind == Kind::Event { 1.0 } else { n as f64 };
        client
            .send(&Measurement { name: row.name, value, attributes: &attributes })
            .unwrap_or_else(|reason| panic!("{}: {reason}", row.name));
        match row.kind {
            Kind::Event => book.count(row.name, labels, 1),
            Kind::Count => book.count(row.name, labels, n),
            Kind::Delta => book.level(row.name, labels, n as i64),
            Kind::Value | Kind::Amount => book.last(row.name, labels, value),
            _ => {
                let ticks = n as f64 / row.ladder.tick;
                book.value(row.name, labels, ticks.round() as u64);
            }
        }
    }
}

/// Values of the row's labels, in turn.
fn labels(row: &Instrument, i: u64) -> Labels {
    let mut labels = crate::account::BARE;
    for (place, label) in row.labels.iter().enumerate() {
        let values = label.values().expect("the parts have closed labels");
        labels[place] = (label.name(), values[i as usize % values.len()]);
    }
    labels
}
