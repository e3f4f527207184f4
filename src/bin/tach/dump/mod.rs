//! `tach dump`: what processes had recorded.

mod json;
mod log;
mod object;
mod table;

use super::args::{Dump, Format};
use super::outcome::{Done, Stop, say};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use tach::reader::{Reading, Segment};

/// A segment that could not be read at all, and why.
#[derive(Debug)]
struct Unread {
    path: PathBuf,
    error: String,
}

pub(crate) fn run(options: &Dump) -> Result<Done, Stop> {
    let is_dir = options.path.is_dir();
    let paths = if is_dir { segments(&options.path)? } else { vec![options.path.clone()] };
    let (mut readings, mut unread) = (Vec::new(), Vec::new());
    for path in paths {
        match Segment::open(&path).and_then(|mut segment| segment.read()) {
            Ok(reading) => readings.push(chosen(reading, options)),
            // Removed since the directory was listed.
            Err(_) if is_dir && !path.exists() => {}
            Err(error) => {
                say(&error);
                unread.push(Unread { path, error: error.to_string() });
            }
        }
    }
    check_metrics(options, &readings)?;
    let mut out = io::BufWriter::new(io::stdout().lock());
    match options.format {
        Format::Table => table::write(&mut out, &readings)?,
        Format::Text => text(&mut out, &readings)?,
        Format::Json => out.write_all(object::object(&readings, &unread).as_bytes())?,
        Format::Hlog => log::write(&mut out, &readings)?,
    }
    out.flush()?;
    if options.format != Format::Table && options.format != Format::Json {
        // Where the output has no place for them.
        for reading in &readings {
            reading.faults.iter().for_each(|fault| say(format_args!("{}: {fault}", reading.info.path.display())));
        }
    }
    Ok(match () {
        () if !unread.is_empty() => Done::Partly,
        () if readings.iter().any(|reading| !reading.faults.is_empty()) => Done::Faulty,
        () => Done::Fine,
    })
}

/// The segments of a directory, by name.
fn segments(dir: &Path) -> Result<Vec<PathBuf>, Stop> {
    let failed = |error: io::Error| Stop::Failed(format!("cannot read the directory {}: {error}", dir.display()));
    let mut paths = Vec::new();
    for entry in dir.read_dir().map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let is_hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if !is_hidden && path.extension().is_some_and(|extension| extension == "tach") {
            paths.push(path);
        }
    }
    if paths.is_empty() {
        let text = "no segments: give the directory that processes record in by Recording::Process";
        return Err(Stop::Failed(format!("{}: {text}", dir.display())));
    }
    paths.sort();
    Ok(paths)
}

fn chosen(mut reading: Reading, options: &Dump) -> Reading {
    if !options.metrics.is_empty() {
        reading.snapshot = reading.snapshot.of_metrics(&options.metrics);
    }
    reading
}

/// A metric that is asked for and nowhere there is a mistake in its name.
fn check_metrics(options: &Dump, readings: &[Reading]) -> Result<(), Stop> {
    let is_there = |name: &&String| {
        let only = [(*name).clone()].into();
        readings.iter().any(|reading| reading.snapshot.of_metrics(&only).series().next().is_some())
    };
    match options.metrics.iter().find(|name| !is_there(name)) {
        Some(name) if !readings.is_empty() => {
            Err(Stop::Failed(format!("no series of a metric {name:?}: dump without --metric names them all")))
        }
        _ => Ok(()),
    }
}

/// The page of each, as its process would have shown it.
fn text(out: &mut impl Write, readings: &[Reading]) -> io::Result<()> {
    for reading in readings {
        if readings.len() > 1 {
            writeln!(out, "# {}", super::human::printable(&reading.info.path.display().to_string()))?;
        }
        out.write_all(tach::text::render(&reading.snapshot).as_bytes())?;
    }
    Ok(())
}
