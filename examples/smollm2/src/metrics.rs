//! Where the run's measurements go: what the environment and the command line say, made into metrics.
//!
//! What is measured is tach's own vocabulary of inference servers; nothing has to be defined here. The calls are in
//! `scheduler`.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context, Result, anyhow, ensure};
use tach::serve::{Clock, Identity, METRICS, Metrics, Profiles, Serving, Settings, start};
use tach::{ErrorKind, HistogramSnapshot, Registry, RegistryBuilder, Snapshot};

use crate::cli::{Listen, Options};

/// Where it is recorded, and how that can be read.
pub(crate) struct Recording {
    /// What the calls record to. Not attached when nothing is recorded.
    pub(crate) metrics: &'static Metrics,
    registry: Registry,
    serving: Option<Serving>,
}

/// The environment's settings, overruled by the command line.
pub(crate) fn settings(options: &Options) -> Result<Settings> {
    // The last of a name counts.
    let flags = options.profile.iter().map(|names| ("TACH_PROFILE".into(), names.into()));
    let mut settings = Settings::from_vars(std::env::vars_os().chain(flags))?;
    if let Some(Listen::At(address)) = options.listen {
        (settings.host, settings.port) = (address.ip(), address.port());
    }
    settings.disabled |= options.metrics_off;
    if settings.identity.model == Identity::default().model {
        settings.identity.model = options.model_name();
    }
    Ok(settings)
}

impl Recording {
    /// Records, and serves `/metrics` unless `--listen none` says otherwise.
    pub(crate) fn start(options: &Options) -> Result<Self> {
        let settings = settings(options)?;
        if options.listen == Some(Listen::Off) {
            return Self::unserved(&settings);
        }
        let serving = start(&settings).map_err(|error| match error.kind() {
            ErrorKind::System => {
                let (host, port) = (settings.host, settings.port);
                let [next, any] = [port.wrapping_add(1).max(1024), 0].map(|port| SocketAddr::new(host, port));
                anyhow!(
                    "/metrics cannot be served: {error}\n  \
                     here: --listen {next}, or any free port: --listen {any}, or no server: --listen none"
                )
            }
            _ => error.into(),
        })?;
        Ok(Self { metrics: &METRICS, registry: serving.registry().clone(), serving: Some(serving) })
    }

    /// Records without a server, to metrics of its own.
    pub(crate) fn unserved(settings: &Settings) -> Result<Self> {
        Self::alone(settings, Registry::builder().recording(settings.recording))
    }

    /// Records as one process of several, this one by `name`: to a segment, which is where the environment says.
    pub(crate) fn in_segment(options: &Options, name: &str) -> Result<Self> {
        let builder = Registry::builder().recording(tach::Recording::Process).process_name(name);
        let recording = Self::alone(&settings(options)?, builder)?;
        ensure!(recording.is_on(), "recording is off by the environment, and processes need it: unset what says so");
        // Said at once: it would record all the same, and nobody could read it.
        recording.directory()?;
        Ok(recording)
    }

    /// The directory of the segment.
    pub(crate) fn directory(&self) -> Result<PathBuf> {
        let segment = self.registry.segment().context("nothing is recorded to a segment")?;
        let segment = segment.map_err(|why| anyhow!("nothing can be recorded to a segment: {why}"))?;
        Ok(segment.parent().unwrap_or(segment).to_owned())
    }

    fn alone(settings: &Settings, builder: RegistryBuilder) -> Result<Self> {
        let metrics: &'static Metrics = Box::leak(Box::new(Metrics::new()));
        let mut builder = builder.level(settings.level);
        if let Some(bytes) = settings.memory_budget {
            builder = builder.memory_budget(bytes);
        }
        let registry = builder.build()?;
        if !settings.disabled && settings.recording != tach::Recording::Noop {
            let profiles = Profiles::new(&settings.profiles, &settings.identity)?;
            metrics.attach(&registry, &profiles, settings.objectives, Clock::new())?;
        }
        Ok(Self { metrics, registry, serving: None })
    }

    /// Whether the calls do anything.
    pub(crate) fn is_on(&self) -> bool {
        self.metrics.is_attached()
    }

    /// The server's address.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.serving.as_ref()?.local_addr()
    }

    /// Everything that is recorded, by the catalogue's names, whatever names it is exposed under.
    pub(crate) fn read(&self) -> Reading {
        Reading(self.registry.snapshot())
    }
}

/// Everything at one moment.
pub(crate) struct Reading(pub(crate) Snapshot);

/// A label and its value, for the rows that have one.
pub(crate) type By = Option<(&'static str, &'static str)>;

/// By a row of the catalogue; none of it where the profile or the level leaves it out.
impl Reading {
    pub(crate) fn counter(&self, row: &str, by: By) -> Option<u64> {
        self.0.counter(&name(row), by.as_slice())
    }

    pub(crate) fn level(&self, row: &str) -> Option<f64> {
        self.0.gauge(&name(row), &[])
    }

    pub(crate) fn histogram(&self, row: &str, by: By) -> Option<&HistogramSnapshot> {
        self.0.histogram(&name(row), by.as_slice())
    }
}

/// The name of a row's metric in its registry.
fn name(row: &str) -> String {
    format!("maxserve.{row}")
}
