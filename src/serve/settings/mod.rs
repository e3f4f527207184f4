//! What a server is told from outside.

mod read;
mod variables;

pub use variables::Variable;

use super::catalogue::catalogue;
use super::info;
use super::profile::{Identity, Profile};
use super::timer::Objectives;
use crate::{Error, ErrorKind, HistogramBuckets, Level, Recording};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;
use variables::VARIABLES;

/// What [`start`](super::start) is told: by the environment, by code, or by both.
///
/// ```
/// use tach::serve::{Profile, Settings};
///
/// let mut settings = Settings::from_vars([("TACH_LEVEL", "basic"), ("MAX_SERVE_METRICS_ENDPOINT_PORT", "9000")])?;
/// settings.profiles.push(Profile::Vllm);
/// assert_eq!((settings.level, settings.port), (tach::Level::Basic, 9000));
/// # Ok::<(), tach::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Settings {
    /// How recordings reach their cells. [`Recording::Sharded`] unless told. With [`Recording::Noop`] nothing is recorded
    /// and no port is opened.
    pub recording: Recording,
    /// How much is measured at first. [`Level::Detailed`], which is everything, unless told.
    pub level: Level,
    /// The address of the interface to listen on. `127.0.0.1` unless told: the metrics tell what a server is used for,
    /// and there is neither encryption nor a password unless [`web_config`](Self::web_config) asks for them, so that it
    /// takes a decision to open them to a network (`0.0.0.0`). [`Serving::is_open_to_all`](super::Serving::is_open_to_all)
    /// says whether that was done.
    pub host: IpAddr,
    /// The port to listen on. 8001 unless told; 0 takes any free one, which
    /// [`Serving::local_addr`](super::Serving::local_addr) tells.
    pub port: u16,
    /// The file that says how TLS is spoken and whose passwords and certificates are asked for: `docs/EXPORTER.md` lists
    /// its keys. None unless told. Without the feature `tls` [`start`](super::start) refuses it.
    pub web_config: Option<PathBuf>,
    /// Whether who asks for OpenMetrics 2.0.0 gets it, as for
    /// [`ExporterBuilder::openmetrics_2`](crate::ExporterBuilder::openmetrics_2). False unless told.
    pub openmetrics_2: bool,
    /// Which buckets histograms have in protobuf and OpenMetrics 2.0, as for
    /// [`ExporterBuilder::histogram_buckets`](crate::ExporterBuilder::histogram_buckets).
    /// [`HistogramBuckets::Both`] unless told.
    pub histogram_buckets: HistogramBuckets,
    /// Whether scrapes begin with `target_info`, as for
    /// [`ExporterBuilder::target_info`](crate::ExporterBuilder::target_info): what
    /// [`Resource::from_env`](crate::Resource::from_env) reads when [`start`](super::start) is called. What is pushed by
    /// OTLP is of the same then. False unless told.
    pub target_info: bool,
    /// Records nothing and opens no port, whatever the rest says, and however wrong that is. False unless told.
    pub disabled: bool,
    /// Where to push to by OTLP besides being scraped, a URL with the path (by gRPC, which the variables of OpenTelemetry
    /// choose, without one); nowhere unless told. Without the feature `otlp` [`start`](super::start) refuses it, and
    /// `https://` without the feature `tls`.
    pub otlp_endpoint: Option<String>,
    /// Labels on every series, with their values. None that an instrument or one of the profiles has already:
    /// [`start`](super::start) refuses them.
    pub attributes: Vec<(String, String)>,
    /// Whose names the recordings are exposed under. [`Profile::MaxServe`] unless told.
    pub profiles: Vec<Profile>,
    /// What the labels of profiles say of the server.
    pub identity: Identity,
    /// What a request must keep to be good. Nothing unless told.
    pub objectives: Objectives,
    /// The lengths of rolling windows of the main latencies, a second or longer, which
    /// [`Serving::windows`](super::Serving::windows) has then; and gauges of them are exposed, as for
    /// [`Windows::show`](crate::Windows::show). None unless told.
    pub windows: Vec<Duration>,
    /// Whether the quantiles of these windows are exposed as summaries and not as gauges, as for
    /// [`Windows::summaries`](crate::Windows::summaries). False unless told.
    pub window_summaries: bool,
    /// How many bytes the cells may come to occupy, as for
    /// [`RegistryBuilder::memory_budget`](crate::RegistryBuilder::memory_budget), and its default unless told.
    pub memory_budget: Option<u64>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            recording: Recording::Sharded,
            level: Level::Detailed,
            host: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: 8001,
            web_config: None,
            openmetrics_2: false,
            histogram_buckets: HistogramBuckets::Both,
            target_info: false,
            disabled: false,
            otlp_endpoint: None,
            attributes: Vec::new(),
            profiles: vec![Profile::MaxServe],
            identity: Identity::default(),
            objectives: Objectives::default(),
            windows: Vec::new(),
            window_summaries: false,
            memory_budget: None,
        }
    }
}

impl Settings {
    /// What the environment says, and the defaults where it says nothing.
    ///
    /// Each setting has a variable of its own name, and some have one by the name that MAX serve has for it;
    /// `docs/SETTINGS.md` and [`Settings::variables`] list them. Where both are set tach's own counts and the other is
    /// not looked at, so that an environment made for MAX serve can be kept and overruled. An empty value counts as
    /// none.
    ///
    /// # Errors
    ///
    /// Values that cannot be read: the text names every such variable, its value and what is allowed. None where telemetry
    /// is disabled: the fields of such values may then be as if they were not set.
    pub fn from_env() -> Result<Self, Error> {
        Self::from_vars(std::env::vars_os())
    }

    /// As [`Settings::from_env`], from names and values given; others than its variables are ignored, and the last of
    /// a name counts.
    ///
    /// # Errors
    ///
    /// As for [`Settings::from_env`].
    pub fn from_vars<N: Into<OsString>, V: Into<OsString>>(
        vars: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Self, Error> {
        let given: BTreeMap<OsString, OsString> =
            vars.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        let mut settings = Self::default();
        let mut problems = Vec::new();
        for variable in VARIABLES {
            if let Err(problem) = variable.apply(&given, &mut settings) {
                problems.push(problem);
            }
        }
        // Off is off: what is not looked at need not be right.
        if problems.is_empty() || settings.disabled {
            return Ok(settings);
        }
        Err(Error::new(ErrorKind::Setting, problems.join("\n")))
    }

    /// The first attribute, name and value, whose name a series has for a label already, and what has it: there it would
    /// be refused, or one of the two would vanish.
    pub(in crate::serve) fn taken_attribute(&self) -> Option<(&str, &str, String)> {
        let owner = |name: &str| {
            let row = catalogue().find(|row| row.labels.iter().any(|label| label.name() == name));
            let own = row.map(|row| row.name).or_else(|| info::has_label(name));
            own.map(|own| format!("maxserve.{own}")).or_else(|| {
                let of = |profile: &Profile| Some(format!("{} (profile {})", profile.has_label(name)?, profile.name()));
                self.profiles.iter().find_map(of)
            })
        };
        self.attributes.iter().find_map(|(name, value)| Some((name.as_str(), value.as_str(), owner(name)?)))
    }

    /// The variables that [`Settings::from_env`] looks at, for a program's help.
    #[must_use]
    pub fn variables() -> &'static [Variable] {
        VARIABLES
    }
}
