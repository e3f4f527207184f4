//! How the values of variables are read. Each says what is wrong, to follow on "VARIABLE is VALUE, ".

use super::Settings;
use crate::describe::check_label;
use crate::serve::profile::Profile;
use crate::{HistogramBuckets, Level, Recording};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

type Read = Result<(), String>;

pub(super) fn recording(settings: &mut Settings, text: &str) -> Read {
    settings.recording = match text.to_ascii_uppercase().as_str() {
        "NOOP" => Recording::Noop,
        "SYNC" => Recording::Sync,
        "SHARDED" | "ASYNCIO" => Recording::Sharded,
        "PROCESS" => Recording::Process,
        _ => return Err("which is no recording method".to_owned()),
    };
    Ok(())
}

pub(super) fn level(settings: &mut Settings, text: &str) -> Read {
    settings.level = match text.to_ascii_uppercase().as_str() {
        "NONE" => Level::None,
        "BASIC" => Level::Basic,
        "DETAILED" => Level::Detailed,
        _ => return Err("which is no level".to_owned()),
    };
    Ok(())
}

pub(super) fn port(settings: &mut Settings, text: &str) -> Read {
    settings.port = text.parse().map_err(|_| "which is no port")?;
    Ok(())
}

pub(super) fn host(settings: &mut Settings, text: &str) -> Read {
    // No other name: what is listened on must not depend on who answers a look-up.
    settings.host = match text {
        "localhost" => IpAddr::V4(Ipv4Addr::LOCALHOST),
        address => address.parse().map_err(|_| "which is no IP address")?,
    };
    Ok(())
}

pub(super) fn disabled(settings: &mut Settings, text: &str) -> Read {
    settings.disabled = yes_or_no(text)?;
    Ok(())
}

pub(super) fn openmetrics_2(settings: &mut Settings, text: &str) -> Read {
    settings.openmetrics_2 = yes_or_no(text)?;
    Ok(())
}

pub(super) fn histogram_buckets(settings: &mut Settings, text: &str) -> Read {
    settings.histogram_buckets = match text.to_ascii_lowercase().as_str() {
        "both" => HistogramBuckets::Both,
        "native" => HistogramBuckets::NativeOnly,
        "classic" => HistogramBuckets::ClassicOnly,
        _ => return Err("which is no sort of buckets".to_owned()),
    };
    Ok(())
}

pub(super) fn target_info(settings: &mut Settings, text: &str) -> Read {
    settings.target_info = yes_or_no(text)?;
    Ok(())
}

fn yes_or_no(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "true" | "t" | "yes" | "y" | "on" => Ok(true),
        "0" | "false" | "f" | "no" | "n" | "off" => Ok(false),
        _ => Err("which is neither yes nor no".to_owned()),
    }
}

pub(super) fn otlp_endpoint(settings: &mut Settings, text: &str) -> Read {
    // As the push refuses it too, and before anything else is said of it.
    if text.contains('@') {
        return Err("which has a user in it: send credentials by OTEL_EXPORTER_OTLP_HEADERS".to_owned());
    }
    // Which is no URL to the parser, and lacks only that.
    if text.starts_with(|c: char| c.is_alphanumeric() || c == '[') && !text.contains("://") {
        let (scheme, rest) = match text.split_once(':') {
            Some((scheme @ ("http" | "https"), rest)) => (scheme, rest.trim_start_matches('/')),
            _ => ("http", text),
        };
        return Err(format!("which does not begin with http:// or https://, as {scheme}://{rest}"));
    }
    let url: hyper::Uri = text.parse().map_err(|error| format!("which is no URL ({error})"))?;
    if !matches!(url.scheme_str(), Some("http" | "https")) {
        return Err("which does not begin with http:// or https://".to_owned());
    }
    if url.host().is_none_or(str::is_empty) {
        return Err("which names no host".to_owned());
    }
    settings.otlp_endpoint = Some(text.to_owned());
    Ok(())
}

/// The parts between commas, each once split at its first `=`.
fn pairs(text: &str) -> impl Iterator<Item = Result<(&str, &str), String>> {
    text.split(',').map(|part| match part.split_once('=') {
        Some((name, value)) => Ok((name.trim(), value.trim())),
        None => Err(format!("where {:?} has no \"=\"", part.trim())),
    })
}

pub(super) fn attributes(settings: &mut Settings, text: &str) -> Read {
    let mut attributes: Vec<(String, String)> = Vec::new();
    for pair in pairs(text) {
        let (name, value) = pair?;
        check_label("attributes", name, true, false).map_err(|error| format!("where {error}"))?;
        if attributes.iter().any(|(earlier, _)| earlier == name) {
            return Err(format!("where {name:?} is given twice"));
        }
        attributes.push((name.to_owned(), value.to_owned()));
    }
    settings.attributes = attributes;
    match settings.taken_attribute() {
        Some((name, _, owner)) => Err(format!("where {name:?} is a label of {owner}")),
        None => Ok(()),
    }
}

pub(super) fn web_config(settings: &mut Settings, text: &str) -> Read {
    settings.web_config = Some(text.into());
    Ok(())
}

pub(super) fn profiles(settings: &mut Settings, text: &str) -> Read {
    let profile = |name: &str| {
        let found = Profile::ALL.iter().copied().find(|profile| profile.name().eq_ignore_ascii_case(name));
        found.ok_or_else(|| format!("where {name:?} is no profile"))
    };
    settings.profiles = text.split(',').map(str::trim).map(profile).collect::<Result<_, _>>()?;
    Ok(())
}

pub(super) fn model(settings: &mut Settings, text: &str) -> Read {
    text.clone_into(&mut settings.identity.model);
    Ok(())
}

pub(super) fn engine(settings: &mut Settings, text: &str) -> Read {
    text.clone_into(&mut settings.identity.engine);
    Ok(())
}

pub(super) fn objectives(settings: &mut Settings, text: &str) -> Read {
    for pair in pairs(text) {
        let (name, value) = pair?;
        let objective = match name.to_ascii_lowercase().as_str() {
            "ttft" => &mut settings.objectives.ttft,
            "tpot" => &mut settings.objectives.tpot,
            "e2e" => &mut settings.objectives.e2e,
            _ => return Err(format!("where {name:?} is no objective")),
        };
        let time = humantime::parse_duration(value).map_err(|error| format!("where {value:?} is no time ({error})"))?;
        if time == Duration::ZERO {
            return Err(format!("where {name} is zero, which no request keeps"));
        }
        if objective.replace(time).is_some() {
            return Err(format!("where {name} is given twice"));
        }
    }
    Ok(())
}

pub(super) fn windows(settings: &mut Settings, text: &str) -> Read {
    let mut windows = Vec::new();
    for part in text.split(',').map(str::trim) {
        let time = humantime::parse_duration(part).map_err(|error| format!("where {part:?} is no time ({error})"))?;
        if time < Duration::from_secs(1) {
            return Err(format!("where {part} is below a second"));
        }
        if windows.contains(&time) {
            return Err(format!("where {part} is given twice"));
        }
        windows.push(time);
    }
    settings.windows = windows;
    Ok(())
}

pub(super) fn window_summaries(settings: &mut Settings, text: &str) -> Read {
    settings.window_summaries = yes_or_no(text)?;
    Ok(())
}

pub(super) fn memory_budget(settings: &mut Settings, text: &str) -> Read {
    let bytes = text.parse().ok().filter(|bytes| *bytes > 0);
    settings.memory_budget = Some(bytes.ok_or("which is no number of bytes")?);
    Ok(())
}
