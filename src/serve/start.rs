//! From settings to a server whose metrics can be scraped.

use super::metrics::{Live, METRICS};
use super::process;
use super::profile::Profiles;
use super::push::Push;
use super::settings::Settings;
use super::shown::Shown;
use super::timer::Clock;
use crate::sync::Mutex;
use crate::{Error, ErrorKind, Exporter, ExporterBuilder, Level, Recording, Registry, Resource, Snapshot, Windows};
use std::error::Error as _;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

/// Where attributes come from, for errors.
const ATTRIBUTES: &str = "serve: TACH_EXTRA_ATTRIBUTES, or Settings::attributes";

/// Whether a [`Serving`] lives.
static TAKEN: Mutex<bool> = Mutex::new(false);

/// That this [`Serving`] is the one.
#[derive(Debug)]
struct Claim;

impl Claim {
    fn take() -> Result<Self, Error> {
        let mut taken = TAKEN.lock();
        let problem = if *taken {
            "serve: started already, and there is one Serving at a time: keep what the first start gave, or drop it before \
             the next"
        } else if METRICS.is_attached() {
            "serve: METRICS was attached to a registry by hand, and records to one at a time: call METRICS.detach() before \
             the start, or serve that registry by an Exporter"
        } else {
            *taken = true;
            return Ok(Self);
        };
        Err(Error::new(ErrorKind::Conflict, problem))
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        *TAKEN.lock() = false;
    }
}

/// Has [`METRICS`] record, and the settings' port serve what it recorded, until the result is dropped. Where there is an
/// OTLP endpoint it is pushed there too: at the interval, and for the last time when the result is dropped, for which
/// that waits 5 seconds at most, even for a callback that takes longer. What `docs/OTLP.md` lists of OpenTelemetry's
/// variables says how, but not where.
///
/// Opens the port, makes the instruments and starts the threads; when it returns, connections are accepted. It waits for
/// nothing else, but that the process's first [`Clock`] is compared with the system's, which may take up to some 200 ms.
/// The instruments are kept for as long as the process lives, as [`Metrics::attach`](super::Metrics::attach) says. Where
/// telemetry is disabled, or the recording method is NOOP, none of that happens, no other setting is an error, and what
/// is given back does nothing.
///
/// # Errors
///
/// A setting that cannot be served: the recording method PROCESS on another system than Linux; an OTLP endpoint in a
/// build without the feature `otlp`, or one by https without `tls`; a web configuration without `tls`, or one that
/// cannot be used; a port that is taken or an address that is not the machine's; an attribute that is no label name, or
/// that an instrument or a profile has for a label; a window that is too short. The text names the variable to change.
/// OpenTelemetry's variables of the resource, where `target_info` is to be shown, that cannot be read or be labels.
/// What the system refuses besides: memory, threads.
/// A start while the result of an earlier one lives, or while [`METRICS`] records elsewhere. After an error nothing has
/// changed, and another start may work.
pub fn start(settings: &Settings) -> Result<Serving, Error> {
    let claim = Claim::take()?;
    let profiles = Profiles::new(&settings.profiles, &settings.identity)?;
    if settings.disabled || settings.recording == Recording::Noop {
        let registry = Registry::builder().recording(Recording::Noop).build()?;
        let shown = Arc::new(Shown::new(profiles));
        return Ok(Serving { exporter: None, push: Push::default(), registry, shown, _claim: claim });
    }
    check(settings)?;
    let registry = registry(settings)?;
    process::register(&registry)?;
    let clock = Clock::new();
    // Published only when the port is open, and freed where it is not.
    let live = Live::new(&registry, &profiles, settings.objectives, clock)?;
    let shown = Arc::new(Shown::new(profiles).with_windows(settings, &registry)?);
    let address = SocketAddr::new(settings.host, settings.port);
    let view = Arc::clone(&shown);
    let exporter = Exporter::builder().listen(address.to_string()).view(move |snapshot| view.apply(snapshot));
    let exporter = exporter.openmetrics_2(settings.openmetrics_2).histogram_buckets(settings.histogram_buckets);
    let resource = settings.target_info.then(Resource::from_env).transpose().map_err(|error| error.within("serve"))?;
    let exporter = resource.iter().fold(exporter, |exporter, resource| exporter.target_info(resource.clone()));
    let exporter = guarded(exporter, settings)?;
    let exporter = exporter.start(&registry).map_err(|error| {
        let place = place(&error);
        error.within(place)
    })?;
    let push = Push::start(settings, &registry, &shown, resource)?;
    METRICS.publish(live);
    Ok(Serving { exporter: Some(exporter), push, registry, shown, _claim: claim })
}

/// The exporter with the settings' web configuration.
#[cfg(feature = "tls")]
fn guarded(exporter: ExporterBuilder, settings: &Settings) -> Result<ExporterBuilder, Error> {
    Ok(match &settings.web_config {
        Some(path) => exporter.web_config(path),
        None => exporter,
    })
}

/// Refuses a web configuration: what was to be closed must not be open.
#[cfg(not(feature = "tls"))]
fn guarded(exporter: ExporterBuilder, settings: &Settings) -> Result<ExporterBuilder, Error> {
    let Some(path) = &settings.web_config else { return Ok(exporter) };
    let text = format!(
        "serve: TACH_WEB_CONFIG is {}, but this build knows neither TLS nor passwords: build it with the feature tls, or \
         unset it, and keep the port from others than a proxy that has them",
        path.display()
    );
    Err(Error::new(ErrorKind::Setting, text))
}

/// Where what an exporter could not do comes from: from the web configuration, the address, or no setting.
fn place(error: &Error) -> &'static str {
    if error.to_string().starts_with("exporter: web_config ") {
        return "serve: TACH_WEB_CONFIG, or Settings::web_config";
    }
    let source = error.source().and_then(|source| source.downcast_ref::<io::Error>());
    match source.map(io::Error::kind) {
        Some(io::ErrorKind::AddrInUse | io::ErrorKind::AddrNotAvailable | io::ErrorKind::PermissionDenied) => {
            "serve: TACH_METRICS_PORT and TACH_METRICS_HOST (or MAX_SERVE_METRICS_ENDPOINT_PORT and MAX_SERVE_HOST)"
        }
        _ => "serve",
    }
}

/// What can be written and not be served.
fn check(settings: &Settings) -> Result<(), Error> {
    if settings.recording == Recording::Process && cfg!(not(target_os = "linux")) {
        let text =
            "serve: TACH_RECORDING (or MAX_SERVE_METRIC_RECORDING_METHOD) is PROCESS, which needs Linux: use SHARDED";
        return Err(Error::new(ErrorKind::Setting, text));
    }
    if let Some((name, value, owner)) = settings.taken_attribute() {
        let text = format!(
            "{ATTRIBUTES}: the attribute {name}={value:?} cannot be on every series, as {name:?} is a label of {owner}: \
             name it differently"
        );
        return Err(Error::new(ErrorKind::Setting, text));
    }
    Ok(())
}

fn registry(settings: &Settings) -> Result<Registry, Error> {
    let mut builder = Registry::builder().recording(settings.recording).level(settings.level);
    for (name, value) in &settings.attributes {
        builder = builder.const_label(name, value);
    }
    if let Some(bytes) = settings.memory_budget {
        builder = builder.memory_budget(bytes);
    }
    builder.build().map_err(|error| error.within(ATTRIBUTES))
}

/// A server's metrics, recorded and served until this is dropped. [`METRICS`] that record to another registry by then go
/// on doing so.
#[derive(Debug)]
#[must_use = "recording and serving stop when it is dropped"]
pub struct Serving {
    exporter: Option<Exporter>,
    push: Push,
    registry: Registry,
    shown: Arc<Shown>,
    /// Given up last.
    _claim: Claim,
}

impl Serving {
    /// The registry that [`METRICS`] records to, for metrics of the server's own, which are exposed with it.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Where the metrics are served; `None` where they are not.
    #[must_use]
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.exporter.as_ref().map(Exporter::local_addr)
    }

    /// Whether everybody who reaches the address can read the metrics, as
    /// [`Exporter::is_open_to_all`](crate::Exporter::is_open_to_all) says; false where they are not served. [`start`] says
    /// it on standard error.
    #[must_use]
    pub fn is_open_to_all(&self) -> bool {
        self.exporter.as_ref().is_some_and(Exporter::is_open_to_all)
    }

    /// The rolling windows of the main latencies, by the own names of their recordings, as `maxserve.itl`: for
    /// decisions in the process, as those of a scheduler. `None` where [`Settings::windows`] has none.
    #[must_use]
    pub fn windows(&self) -> Option<&Windows> {
        self.shown.windows()
    }

    /// What a scrape would show now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.shown.apply(&self.registry.snapshot())
    }

    /// Changes how much is measured.
    pub fn set_level(&self, level: Level) {
        self.registry.set_level(level);
    }

    /// As dropping it; gives what a last scrape would have shown, with everything that was recorded before on this
    /// thread or any that it synchronised with.
    pub fn shutdown(mut self) -> Snapshot {
        self.stop();
        self.snapshot()
    }

    fn stop(&mut self) {
        self.exporter = None;
        METRICS.detach_from(&self.registry);
        // For the last time, now that nothing more is recorded.
        self.push = Push::default();
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.stop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_wrong_with_the_address_is_blamed_on_it() {
        let place = |kind: io::ErrorKind| place(&Error::system("cannot", kind.into()));
        for kind in [io::ErrorKind::AddrInUse, io::ErrorKind::AddrNotAvailable, io::ErrorKind::PermissionDenied] {
            assert!(place(kind).contains("TACH_METRICS_PORT"), "{kind}");
        }
        // A thread or memory that the system refuses.
        assert_eq!([io::ErrorKind::WouldBlock, io::ErrorKind::OutOfMemory].map(place), ["serve"; 2]);
        assert_eq!(super::place(&Error::new(ErrorKind::Setting, "exporter")), "serve");
        let error = Error::new(ErrorKind::Setting, "exporter: web_config web.yml: line 3");
        assert!(super::place(&error).contains("TACH_WEB_CONFIG"));
    }
}
