//! The metrics that an exporter keeps of itself: how it answered, whom it turned away. Plain cells of its one thread.

use crate::collect::{FamilySnapshot, Snapshot, Values};
use crate::describe::{Aggregate, Descriptor, Kind, LabelSets, Level, Unit, same_label};
use hyper::StatusCode;
use std::cell::{Cell, OnceCell};
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

/// Every status that a request is answered with, ascending.
const CODES: [StatusCode; 10] = [
    StatusCode::OK,
    StatusCode::BAD_REQUEST,
    StatusCode::UNAUTHORIZED,
    StatusCode::FORBIDDEN,
    StatusCode::NOT_FOUND,
    StatusCode::METHOD_NOT_ALLOWED,
    StatusCode::PAYLOAD_TOO_LARGE,
    StatusCode::TOO_MANY_REQUESTS,
    StatusCode::INTERNAL_SERVER_ERROR,
    StatusCode::SERVICE_UNAVAILABLE,
];

/// Why a connection was not served, or not to its end.
#[derive(Clone, Copy, Debug)]
pub(super) enum Refused {
    /// Every place was taken by a client that was being answered.
    Busy,
    /// It was waiting for its client when another connection needed the place.
    Displaced,
    /// Its client did not get through the handshake of TLS.
    #[cfg_attr(not(feature = "tls"), allow(dead_code, reason = "there are no handshakes"))]
    Handshake,
    /// Its client took too long to send a request, or to read the answer.
    Late,
    /// What its client sent is no HTTP request.
    Malformed,
    /// Its client's address is in none of the networks that are let in.
    Network,
    /// The system did not hand it over, for want of file descriptors or memory.
    System,
}

/// The values of the label `reason`, ascending and as [`Refused`] has them.
const REASONS: [&str; 7] = ["busy", "displaced", "handshake", "late", "malformed", "network", "system"];

/// What one exporter counts.
#[derive(Debug)]
pub(super) struct Own {
    /// Since when it counts.
    began: SystemTime,
    answered: [Cell<u64>; CODES.len()],
    refused: [Cell<u64>; REASONS.len()],
    connections: Cell<usize>,
    reload_errors: Cell<u64>,
    /// Set once not everybody who reaches the exporter can ask, for other threads too.
    closed: Arc<OnceLock<()>>,
    /// Made for the first page, as the registry's constant labels are in its snapshots.
    families: OnceCell<Vec<FamilySnapshot>>,
}

impl Own {
    /// For an exporter that anybody who reaches it can ask, unless `closed` is set.
    pub(super) fn new(closed: Arc<OnceLock<()>>) -> Self {
        let (answered, refused, connections, reload_errors, families) = Default::default();
        Self { began: SystemTime::now(), answered, refused, connections, reload_errors, closed, families }
    }

    /// Whether anybody who reaches it can ask.
    pub(super) fn is_open_to_all(&self) -> bool {
        self.closed.get().is_none()
    }

    /// From now on clients have to show who they are, which no change of files takes back.
    #[cfg(feature = "tls")]
    pub(super) fn close(&self) {
        self.closed.get_or_init(|| ());
    }

    /// Counts a request by the status of its answer.
    pub(super) fn answered(&self, status: StatusCode) {
        if let Some(index) = CODES.iter().position(|code| *code == status) {
            increment(&self.answered[index]);
        }
    }

    /// Counts a connection that was turned away.
    pub(super) fn refused(&self, reason: Refused) {
        increment(&self.refused[reason as usize]);
    }

    /// Takes note of how many connections are open.
    pub(super) fn connections(&self, open: usize) {
        self.connections.set(open);
    }

    /// Counts a change of files that could not be taken over.
    #[cfg(feature = "tls")]
    pub(super) fn reload_failed(&self) {
        increment(&self.reload_errors);
    }

    /// These metrics as a snapshot of their own, of the moment and with the constant labels of `snapshot`.
    pub(super) fn beside(&self, snapshot: &Snapshot) -> Snapshot {
        let mut families = self.families.get_or_init(|| describe(snapshot, self.began)).clone();
        let values = [
            Values::Counter(self.answered.iter().map(Cell::get).collect()),
            Values::Gauge([self.connections.get() as f64].into_iter().collect()),
            Values::Counter(self.refused.iter().map(Cell::get).collect()),
            Values::Counter([self.reload_errors.get()].into_iter().collect()),
            Values::Gauge([f64::from(u8::from(self.is_open_to_all()))].into_iter().collect()),
        ];
        for (family, values) in families.iter_mut().zip(values) {
            family.values = values;
        }
        snapshot.viewed(|_| false, families)
    }
}

fn increment(count: &Cell<u64>) {
    count.set(count.get() + 1);
}

/// The families, with the constant labels of the registry, and without values.
fn describe(snapshot: &Snapshot, began: SystemTime) -> Vec<FamilySnapshot> {
    // The engine's own metrics have those of the registry, and no others, as a view's may.
    let engine = snapshot.families().iter().find(|family| family.desc.name.starts_with("tach_"));
    let const_labels = engine.map_or_else(|| Arc::from([]), |family| Arc::clone(&family.desc.const_labels));
    let family = |kind, name: &str, label: Option<&str>, values: &[&str], help: &str| {
        let desc = Descriptor {
            name: name.to_owned(),
            base: Descriptor::base(None, name, kind, Unit::None),
            utf8: engine.is_some_and(|family| family.desc.utf8),
            dotted: Descriptor::dotted(None, name, kind),
            help: help.to_owned(),
            kind,
            unit: Unit::None,
            level: Level::None,
            aggregate: Aggregate::default(),
            labels: label.into_iter().map(str::to_owned).collect(),
            label_set: None,
            // As for the engine's own, a constant label by the same name gives way.
            const_labels: const_labels
                .iter()
                .filter(|(name, _)| label.is_none_or(|own| !same_label(own, name)))
                .cloned()
                .collect(),
            limit: usize::MAX,
            grid: None,
            exemplars: false,
        };
        let sets = values.iter().map(|&value| label.map(|_| value.into()).into_iter().collect());
        let labels = LabelSets::since(began, sets);
        FamilySnapshot {
            desc: Arc::new(desc),
            labels: Arc::new(labels),
            values: Values::Counter(<_>::default()),
            noted: <_>::default(),
        }
    };
    let codes = CODES.map(|code| code.as_str().to_owned());
    vec![
        family(
            Kind::Counter,
            "tach_exporter_requests",
            Some("code"),
            &codes.each_ref().map(String::as_str),
            "HTTP requests by the status of their answers, without this one.",
        ),
        family(Kind::Gauge, "tach_exporter_connections", None, &[""], "Connections to the exporter that are open."),
        family(
            Kind::Counter,
            "tach_exporter_refused",
            Some("reason"),
            &REASONS,
            "Connections that were not served, or not to their end: all places busy; displaced by a newer one while \
             idle; without a handshake of TLS; late with a request or with reading the answer; malformed requests; from \
             a network that is not let in; refused by the system.",
        ),
        family(
            Kind::Counter,
            "tach_exporter_reload_errors",
            None,
            &[""],
            "Changes of the web configuration, or of files that it names, that could not be taken over.",
        ),
        family(
            Kind::Gauge,
            "tach_exporter_open_to_all",
            None,
            &[""],
            "1 if whoever reaches the exporter's address can read the metrics, 0 if that is the machine itself, or \
             takes a password, token, certificate or network.",
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::{CODES, Own, REASONS, Refused};
    use crate::Registry;
    use crate::describe::Kind;
    use crate::expose::text;
    use hyper::StatusCode;

    #[test]
    fn all_that_is_counted_is_on_the_page_from_the_first() {
        let registry = Registry::builder().const_label("code", "x").const_label("zone", "a").build().unwrap();
        registry.counter("zz").build().unwrap();
        let (own, snapshot) = (Own::new(<_>::default()), registry.snapshot());
        let page = text::render(&own.beside(&snapshot));
        for code in CODES {
            let line = format!("tach_exporter_requests_total{{zone=\"a\",code=\"{}\"}} 0\n", code.as_str());
            assert!(page.contains(&line), "{page}");
        }
        for reason in REASONS {
            let line = format!("tach_exporter_refused_total{{code=\"x\",zone=\"a\",reason=\"{reason}\"}} 0\n");
            assert!(page.contains(&line), "{page}");
        }
        own.answered(StatusCode::OK);
        own.answered(StatusCode::NOT_FOUND);
        own.answered(StatusCode::NOT_FOUND);
        own.refused(Refused::Busy);
        own.refused(Refused::System);
        own.connections(3);
        let shown = own.beside(&snapshot);
        for (name, label, value) in [
            ("tach_exporter_requests", [("code", "200")], 1),
            ("tach_exporter_requests", [("code", "404")], 2),
            ("tach_exporter_refused", [("reason", "busy")], 1),
            ("tach_exporter_refused", [("reason", "late")], 0),
            ("tach_exporter_refused", [("reason", "system")], 1),
        ] {
            assert_eq!(shown.counter(name, &label), Some(value), "{name} {label:?}");
        }
        assert_eq!(shown.gauge("tach_exporter_connections", &[]), Some(3.0));
        assert_eq!(shown.counter("zz", &[]), None);
        assert!(CODES.is_sorted() && REASONS.is_sorted());
    }

    #[test]
    fn totals_count_since_the_exporter_was_made() {
        let registry = Registry::new();
        let own = Own::new(<_>::default());
        let made = registry.snapshot().time();
        while registry.snapshot().time() <= made {
            std::thread::yield_now();
        }
        let shown = own.beside(&registry.snapshot());
        let totals = || shown.families().iter().filter(|family| family.desc.kind == Kind::Counter);
        assert!(totals().count() == 3 && totals().all(|family| family.labels.began.iter().all(|began| *began <= made)));
    }
}
