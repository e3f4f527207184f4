//! What the program is told.

use super::outcome::Stop;
use clap::builder::PossibleValuesParser;
use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, value_parser};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;
use tach::HistogramBuckets;

/// What to do.
#[derive(Debug)]
pub(crate) enum Command {
    /// Help or the version, which need nothing done.
    Said(String),
    Dump(Dump),
    Collect(Collect),
    Top(Top),
}

#[derive(Debug)]
pub(crate) struct Dump {
    pub(crate) path: PathBuf,
    pub(crate) format: Format,
    /// All, where there are none.
    pub(crate) metrics: BTreeSet<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Table,
    Text,
    Json,
    Hlog,
}

#[derive(Debug)]
pub(crate) struct Collect {
    pub(crate) dir: PathBuf,
    pub(crate) listen: String,
    pub(crate) interval: Duration,
    /// How long the files of processes that are gone are kept, and how many.
    pub(crate) keep_for: Option<Duration>,
    pub(crate) keep: Option<usize>,
    /// Who may connect: networks, or nobody in particular.
    pub(crate) allow: Vec<String>,
    pub(crate) created: bool,
    pub(crate) openmetrics_2: bool,
    pub(crate) histogram_buckets: HistogramBuckets,
    /// The lengths of rolling windows; none where there are none.
    pub(crate) windows: Vec<Duration>,
    /// The histograms that have them: all, where there are none.
    pub(crate) windows_of: Vec<String>,
    pub(crate) window_summaries: bool,
    pub(crate) target_info: bool,
    #[cfg(feature = "tls")]
    pub(crate) web_config: Option<PathBuf>,
    #[cfg(feature = "serve")]
    pub(crate) profiles: Vec<String>,
}

#[derive(Debug)]
pub(crate) struct Top {
    pub(crate) dir: PathBuf,
    pub(crate) interval: Duration,
    pub(crate) once: bool,
}

/// The shortest time between two looks.
const INTERVAL_MIN: Duration = Duration::from_millis(100);

/// Help and version are no errors; what is, ends with 1, as all errors do.
pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Command, Stop> {
    let matches = match command().try_get_matches_from(args) {
        Ok(matches) => matches,
        Err(error) if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            return Ok(Command::Said(error.to_string()));
        }
        Err(error) => {
            let text = error.to_string();
            let text = text.strip_prefix("error: ").unwrap_or(&text);
            return Err(Stop::Failed(text.trim_end().to_owned()));
        }
    };
    // The parser has seen to it that there is a subcommand, and that it is one of these.
    Ok(match matches.subcommand() {
        Some(("collect", matches)) => Command::Collect(collect(matches)),
        Some(("top", matches)) => Command::Top(top(matches)),
        Some((_, matches)) => Command::Dump(dump(matches)),
        None => Command::Said(command().render_help().to_string()),
    })
}

fn command() -> clap::Command {
    clap::Command::new("tach")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Looks at what processes record in their segments, while they live and afterwards.")
        .disable_help_subcommand(true)
        .subcommand_required(true)
        .subcommands([dump_command(), collect_command(), top_command()])
}

fn dump_command() -> clap::Command {
    let format = Arg::new("format")
        .long("format")
        .short('f')
        .value_name("FORMAT")
        .value_parser(PossibleValuesParser::new(["table", "text", "json", "hlog"]))
        .default_value("table")
        .help("table for people, Prometheus text, JSON, or a log for HdrHistogram's tools");
    let metric = Arg::new("metric")
        .long("metric")
        .short('m')
        .value_name("NAME")
        .action(ArgAction::Append)
        .help("Only this metric, by its own or its exposed name; may be given several times");
    clap::Command::new("dump")
        .about("Prints what a process had recorded, and how it does")
        .after_help("Exit status: 0 fine, 1 an error, 2 read but with faults.")
        .args([path("path", "PATH", "A segment, or a directory: each of its segments in turn"), format, metric])
}

fn collect_command() -> clap::Command {
    let command = clap::Command::new("collect").about("Merges the segments of a directory, and serves them").args([
        path("dir", "DIR", "The directory of the segments").long("dir").short('d'),
        Arg::new("listen")
            .long("listen")
            .short('l')
            .value_name("ADDRESS")
            .default_value("127.0.0.1:9464")
            .help("Where to serve: host:port, or unix:/path"),
        duration("interval", "How often to look for processes that come and go").default_value("1s"),
        duration("keep-for", "How long to keep the files of processes that are gone"),
        Arg::new("keep")
            .long("keep")
            .value_name("N")
            .value_parser(value_parser!(usize))
            .help("How many files of processes that are gone to keep"),
        Arg::new("allow")
            .long("allow")
            .value_name("NETWORK")
            .action(ArgAction::Append)
            .help("Lets in only this network, as 10.0.0.0/8; may be given several times"),
        flag("created", "Tells who asks for OpenMetrics when series began, by `_created`"),
        flag("openmetrics-2", "Gives OpenMetrics 2.0.0, a release candidate, to who asks for it"),
        Arg::new("histogram-buckets")
            .long("histogram-buckets")
            .value_name("SORT")
            .value_parser(PossibleValuesParser::new(["both", "native", "classic"]))
            .default_value("both")
            .help("Which buckets histograms have in protobuf and OpenMetrics 2.0"),
        duration(
            "windows",
            "Shows histograms as they were lately too: quantiles, numbers and rates of the last 10s,1m",
        )
        .value_name("TIME,…")
        .value_delimiter(','),
        Arg::new("windows-of")
            .long("windows-of")
            .value_name("NAME,…")
            .value_delimiter(',')
            .requires("windows")
            .help("Only these histograms have windows, by their own names"),
        flag("window-summaries", "Shows the quantiles of windows as summaries, and not as gauges").requires("windows"),
        flag("target-info", "Begins with target_info: what OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME say"),
    ]);
    #[cfg(feature = "tls")]
    let command = command.arg(
        Arg::new("web-config")
            .long("web-config")
            .value_name("FILE")
            .value_parser(value_parser!(PathBuf))
            .help("TLS, passwords and tokens: the file that Prometheus's exporters share"),
    );
    #[cfg(feature = "serve")]
    let command = command.arg(
        Arg::new("profile")
            .long("profile")
            .value_name("NAME,…")
            .value_delimiter(',')
            .value_parser(PossibleValuesParser::new(tach::serve::Profile::ALL.iter().map(|profile| profile.name())))
            .help("Whose names to serve the metrics of tach::serve under"),
    );
    command
}

fn top_command() -> clap::Command {
    let once = flag("once", "Prints one frame, and ends");
    clap::Command::new("top")
        .about("Shows what the processes of a directory record, as they do")
        .after_help(
            "Keys: up, down, j, k: metric; left, right, h, l: process; t: now or since the start; space: pause; q: quit.",
        )
        .args([
            path("dir", "DIR", "The directory of the segments"),
            duration("interval", "Time between two looks").short('i').default_value("1s"),
            once,
        ])
}

fn path(id: &'static str, name: &'static str, help: &'static str) -> Arg {
    Arg::new(id).value_name(name).required(true).value_parser(value_parser!(PathBuf)).help(help)
}

fn flag(id: &'static str, help: &'static str) -> Arg {
    Arg::new(id).long(id).action(ArgAction::SetTrue).help(help)
}

fn duration(id: &'static str, help: &'static str) -> Arg {
    Arg::new(id).long(id).value_name("TIME").value_parser(parse_duration).help(help)
}

fn parse_duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|error| format!("{error}: give a time as 500ms, 10s or 1h"))
}

fn dump(matches: &ArgMatches) -> Dump {
    let format = match matches.get_one::<String>("format").map(String::as_str) {
        Some("text") => Format::Text,
        Some("json") => Format::Json,
        Some("hlog") => Format::Hlog,
        _ => Format::Table,
    };
    let metrics = matches.get_many::<String>("metric").into_iter().flatten().cloned().collect();
    Dump { path: given(matches, "path"), format, metrics }
}

fn collect(matches: &ArgMatches) -> Collect {
    let histogram_buckets = match matches.get_one::<String>("histogram-buckets").map(String::as_str) {
        Some("native") => HistogramBuckets::NativeOnly,
        Some("classic") => HistogramBuckets::ClassicOnly,
        _ => HistogramBuckets::Both,
    };
    Collect {
        dir: given(matches, "dir"),
        listen: given(matches, "listen"),
        interval: given::<Duration>(matches, "interval").max(INTERVAL_MIN),
        keep_for: matches.get_one("keep-for").copied(),
        keep: matches.get_one("keep").copied(),
        allow: matches.get_many("allow").into_iter().flatten().cloned().collect(),
        created: matches.get_flag("created"),
        openmetrics_2: matches.get_flag("openmetrics-2"),
        histogram_buckets,
        windows: matches.get_many("windows").into_iter().flatten().copied().collect(),
        windows_of: matches.get_many("windows-of").into_iter().flatten().cloned().collect(),
        window_summaries: matches.get_flag("window-summaries"),
        target_info: matches.get_flag("target-info"),
        #[cfg(feature = "tls")]
        web_config: matches.get_one("web-config").cloned(),
        #[cfg(feature = "serve")]
        profiles: matches.get_many("profile").into_iter().flatten().cloned().collect(),
    }
}

fn top(matches: &ArgMatches) -> Top {
    let interval = given::<Duration>(matches, "interval").max(INTERVAL_MIN);
    Top { dir: given(matches, "dir"), interval, once: matches.get_flag("once") }
}

/// What is required, or has a default.
fn given<T: Clone + Default + Send + Sync + 'static>(matches: &ArgMatches, id: &str) -> T {
    matches.get_one(id).cloned().unwrap_or_default()
}
