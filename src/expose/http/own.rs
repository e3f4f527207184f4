//! The metrics that an exporter keeps of itself: how it answered, whom it turned away. Plain cells of its one thread.

use crate::collect::{FamilySnapshot, Snapshot, Values};
use crate::describe::{Aggregate, Descriptor, Kind, LabelSets, Level, Unit, is_legal_label};
use hyper::StatusCode;
use std::cell::Cell;
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
#[derive(Debug, Default)]
pub(super) struct Own {
    answered: [Cell<u64>; CODES.len()],
    refused: [Cell<u64>; REASONS.len()],
    connections: Cell<usize>,
    reload_errors: Cell<u64>,
    /// Set once not everybody who reaches the exporter can ask, for other threads too.
    closed: Arc<OnceLock<()>>,
    /// Without values.
    families: Vec<FamilySnapshot>,
}

impl Own {
    /// For an exporter that anybody who reaches it can ask, unless `closed` is set. `const_labels`: those of its registry,
    /// as what a snapshot shows may be of other processes.
    pub(super) fn new(closed: Arc<OnceLock<()>>, const_labels: &[(String, String)]) -> Self {
        Self { closed, families: describe(const_labels), ..Self::default() }
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

    /// These metrics as a snapshot of their own, of the moment of `snapshot`.
    pub(super) fn beside(&self, snapshot: &Snapshot) -> Snapshot {
        let mut families = self.families.clone();
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

/// The families, without values.
fn describe(const_labels: &[(String, String)]) -> Vec<FamilySnapshot> {
    let utf8 = const_labels.iter().any(|(name, _)| !is_legal_label(name));
    let since = SystemTime::now();
    let family = |kind, name: &str, label: Option<&str>, values: &[&str], help: &str| {
        let desc = Descriptor {
            name: name.to_owned(),
            base: Descriptor::base(None, name, kind, Unit::None),
            utf8,
            dotted: Descriptor::dotted(None, name, kind),
            help: help.to_owned(),
            kind,
            unit: Unit::None,
            level: Level::None,
            aggregate: Aggregate::default(),
            labels: label.into_iter().map(str::to_owned).collect(),
            label_set: None,
            const_labels: Descriptor::giving_way(const_labels, label.as_slice()),
            limit: usize::MAX,
            grid: None,
            exemplars: false,
        };
        let sets = values.iter().map(|&value| label.map(|_| value.into()).into_iter().collect());
        let labels = LabelSets::since(since, sets);
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
    use crate::describe::{Escaping, Kind};
    use crate::expose::families::Families;
    use crate::expose::http::negotiate::Body;
    use crate::expose::text;
    use hyper::StatusCode;

    fn of(registry: &Registry) -> Own {
        Own::new(<_>::default(), &registry.const_labels())
    }

    #[test]
    fn constant_labels_are_the_registrys_and_not_those_of_other_processes() {
        let worker = Registry::builder().const_label("gpu", "0").build().unwrap();
        let registry = Registry::builder().const_label("zone", "a").build().unwrap();
        registry.attach(move || worker.snapshot());
        let snapshot = registry.snapshot();
        assert!(text::render(&snapshot).contains("tach_series{gpu=\"0\""));
        let page = text::render(&of(&registry).beside(&snapshot));
        assert!(page.contains("tach_exporter_connections{zone=\"a\"} 0\n"), "{page}");
        assert!(!page.contains("gpu"), "{page}");
    }

    #[test]
    fn another_processs_metrics_by_these_names_are_not_shown_beside_them() {
        let (worker, registry) = (Registry::new(), Registry::new());
        let others = of(&worker);
        others.connections(3);
        let others = others.beside(&worker.snapshot());
        registry.attach(move || others.clone());
        let snapshot = registry.snapshot();
        assert_eq!(snapshot.gauge("tach_exporter_connections", &[]), Some(3.0));
        let (own, body) = (of(&registry).beside(&snapshot), Body::Text(Escaping::Underscores));
        let page = String::from_utf8(body.render(&Families::with(&snapshot, Some(&own)), Vec::new())).unwrap();
        assert_eq!(page.matches("# TYPE tach_exporter_").count(), 5, "{page}");
        assert!(page.contains("\ntach_exporter_connections 0\n") && page.contains("\ntach_series "), "{page}");
    }

    #[test]
    fn all_that_is_counted_is_on_the_page_from_the_first() {
        let registry = Registry::builder().const_label("code", "x").const_label("zone", "a").build().unwrap();
        registry.counter("zz").build().unwrap();
        let (own, snapshot) = (of(&registry), registry.snapshot());
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
        let own = of(&registry);
        let made = registry.snapshot().time();
        while registry.snapshot().time() <= made {
            std::thread::yield_now();
        }
        let shown = own.beside(&registry.snapshot());
        let totals = || shown.families().iter().filter(|family| family.desc.kind == Kind::Counter);
        assert!(totals().count() == 3 && totals().all(|family| family.labels.began.iter().all(|began| *began <= made)));
    }
}
