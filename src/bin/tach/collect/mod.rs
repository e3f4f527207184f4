//! `tach collect`: all segments of a directory, merged and served.

mod news;
mod place;
mod shown;

use super::args::Collect;
use super::outcome::{Done, Stop, say};
use news::News;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::sync::mpsc::{RecvTimeoutError, channel};
use tach::reader::{Directory, Options};
use tach::{Exporter, ExporterBuilder, Registry, Resource};

pub(crate) fn run(options: &Collect) -> Result<Done, Stop> {
    // From here on a signal ends this in order.
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM])?;
    let mut keep = Options::default();
    keep.keep_for = options.keep_for.unwrap_or(keep.keep_for);
    keep.keep_count = options.keep.unwrap_or(keep.keep_count);
    let directory = Directory::open(&options.dir, keep)?;
    place::check(&options.dir)?;
    let registry = Registry::new();
    directory.attach_to(&registry);
    let exporter = shown::view(exporter(options)?, &registry, options)?.start(&registry)?;
    say(format_args!("serving {} at {}", options.dir.display(), address(&exporter)));

    let (end, ended) = channel();
    std::thread::spawn(move || signals.forever().next().map(|signal| end.send(signal)));
    let mut news = News::default();
    loop {
        // Also where nobody scrapes: processes that are gone are folded in.
        let _ = directory.read();
        news.of(&directory.segments(), &directory.faults(), directory.is_keeper()).iter().for_each(say);
        match ended.recv_timeout(options.interval) {
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Err(Stop::Failed("no signal can be received".to_owned())),
            Ok(signal) => {
                let name = signal_hook::low_level::signal_name(signal).unwrap_or("a signal");
                say(format_args!("{name}: the end"));
                drop(exporter);
                return Ok(Done::Fine);
            }
        }
    }
}

fn address(exporter: &Exporter) -> String {
    match exporter.socket_path() {
        Some(path) => format!("the socket {}", path.display()),
        None => format!("{}/metrics", exporter.local_addr()),
    }
}

fn exporter(options: &Collect) -> Result<ExporterBuilder, Stop> {
    let builder = Exporter::builder().listen(options.listen.as_str());
    let builder = builder.created(options.created).openmetrics_2(options.openmetrics_2);
    let builder = builder.histogram_buckets(options.histogram_buckets);
    let builder = if options.target_info { builder.target_info(Resource::from_env()?) } else { builder };
    let builder = options.allow.iter().fold(builder, |builder, network| builder.allow(network));
    #[cfg(feature = "tls")]
    let builder = match &options.web_config {
        Some(path) => builder.web_config(path),
        None => builder,
    };
    Ok(builder)
}
