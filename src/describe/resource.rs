//! Whose metrics these are.

use super::{Escaping, check_label, same_label};
use crate::error::{Error, ErrorKind};
use std::collections::BTreeMap;
use std::collections::hash_map::RandomState;
use std::ffi::{OsStr, OsString};
use std::hash::BuildHasher;
use std::time::SystemTime;

const NAME: &str = "service.name";

/// How a variable's value is taken over, or what is wrong with it, to follow on "VARIABLE is VALUE, ".
type Read = fn(Resource, &str) -> Result<Resource, String>;

/// The variables, in this order, so that the name of the service counts before that among the attributes.
const VARIABLES: [(&str, Read); 2] = [("OTEL_RESOURCE_ATTRIBUTES", attributes), ("OTEL_SERVICE_NAME", service)];

/// The attributes that tell one process from every other one, each once. All are strings.
///
/// Pushes by OTLP have them, and [`Snapshot::target_info`](crate::Snapshot::target_info) shows them to scrapers.
///
/// `service.instance.id` is random unless set: receivers tell the streams of two processes apart by nothing else, and
/// mix them up where all attributes are the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource(Vec<(String, String)>);

impl Default for Resource {
    fn default() -> Self {
        Self::new()
    }
}

impl Resource {
    /// `service.name` after the program (`unknown_service:program`), a random UUID as `service.instance.id`, and
    /// `telemetry.sdk.name`, `.language` and `.version`.
    #[must_use]
    pub fn new() -> Self {
        let program = std::env::current_exe().ok();
        let program = program.as_deref().and_then(|path| path.file_name()?.to_str());
        let service = program.map_or_else(|| "unknown_service".to_owned(), |name| format!("unknown_service:{name}"));
        let pairs = [
            (NAME, service),
            ("service.instance.id", uuid()),
            ("telemetry.sdk.name", "tach".to_owned()),
            ("telemetry.sdk.language", "rust".to_owned()),
            ("telemetry.sdk.version", env!("CARGO_PKG_VERSION").to_owned()),
        ];
        Self(pairs.map(|(key, value)| (key.to_owned(), value)).into())
    }

    /// [`Resource::new`] with what OpenTelemetry's variables say: `OTEL_RESOURCE_ATTRIBUTES` (`name=value`, and more after
    /// commas, with `%` and two digits for any character) and `OTEL_SERVICE_NAME`, which counts before a `service.name`
    /// among these. An empty value counts as none.
    ///
    /// # Errors
    ///
    /// Values that cannot be read: the text names every such variable, its value and what is allowed.
    pub fn from_env() -> Result<Self, Error> {
        Self::from_vars(std::env::vars_os())
    }

    /// As [`Resource::from_env`], from names and values given; others than its variables are ignored, and the last of a
    /// name counts.
    ///
    /// # Errors
    ///
    /// As for [`Resource::from_env`].
    pub fn from_vars<N: Into<OsString>, V: Into<OsString>>(
        vars: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Self, Error> {
        Self::read(&vars.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }

    pub(crate) fn read(vars: &BTreeMap<OsString, OsString>) -> Result<Self, Error> {
        let mut resource = Self::new();
        let mut problems = Vec::new();
        for (name, read) in VARIABLES {
            let Some(value) = vars.get(OsStr::new(name)) else { continue };
            match value.to_str().map(str::trim) {
                None => problems.push(format!("{name} is {value:?}, which is not UTF-8")),
                Some("") => {}
                Some(text) => match read(resource.clone(), text) {
                    Ok(read) => resource = read,
                    Err(problem) => problems.push(format!("{name} is {text:?}, {problem}")),
                },
            }
        }
        if problems.is_empty() { Ok(resource) } else { Err(Error::new(ErrorKind::Setting, problems.join("\n"))) }
    }

    /// Sets an attribute, in place of what it was before. An empty value removes it.
    #[must_use]
    pub fn with(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        let (key, value) = (key.into(), value.into());
        match self.0.iter().position(|(there, _)| *there == key) {
            Some(at) if value.is_empty() => drop(self.0.remove(at)),
            Some(at) => self.0[at].1 = value,
            None if value.is_empty() => {}
            None => self.0.push((key, value)),
        }
        self
    }

    /// As `with` the attribute `service.name`.
    #[must_use]
    pub fn service(self, name: impl Into<String>) -> Self {
        self.with(NAME, name)
    }

    /// An attribute's value.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(there, _)| there == key).map(|(_, value)| &**value)
    }

    /// The attributes and their values.
    #[cfg_attr(not(feature = "otlp"), allow(dead_code, reason = "for OTLP"))]
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (&**key, &**value))
    }

    /// The attributes as labels, by names that differ in every escaping: of those that would be one label somewhere the
    /// values are one value, with `;` between, in the order of their keys.
    ///
    /// # Errors
    ///
    /// A key that no label can have.
    pub(crate) fn labels(&self) -> Result<Vec<(String, String)>, Error> {
        let mut labels: Vec<Vec<(&str, &str)>> = Vec::new();
        for (key, value) in self.pairs() {
            check_label("target_info", key, false, true)?;
            // Two that differ may each be the same as a third.
            let is_same = |others: &mut Vec<(&str, &str)>| others.iter().any(|(other, _)| same_label(other, key));
            let first = labels.iter_mut().position(is_same).unwrap_or(labels.len());
            let same: Vec<_> = labels.extract_if(first.., is_same).flatten().chain([(key, value)]).collect();
            labels.insert(first, same);
        }
        let joined = labels.into_iter().map(|mut same| {
            same.sort_unstable();
            let values: Vec<&str> = same.iter().map(|(_, value)| *value).collect();
            match same[..] {
                [(key, value)] => (key.to_owned(), value.to_owned()),
                _ => (Escaping::Underscores.label(same[0].0).into_owned(), values.join(";")),
            }
        });
        Ok(joined.collect())
    }
}

fn attributes(mut resource: Resource, text: &str) -> Result<Resource, String> {
    for pair in pairs(text) {
        let (key, value) = pair?;
        if key.is_empty() {
            return Err("where an attribute has no name".to_owned());
        }
        // One of a variable that is not set: what there is stays, as a process has to be told from others.
        if !value.is_empty() {
            resource = resource.with(key, value);
        }
    }
    Ok(resource)
}

fn service(resource: Resource, text: &str) -> Result<Resource, String> {
    Ok(resource.service(text))
}

/// What variables of OpenTelemetry's have for a list: the parts between commas, each once split at its first `=`, with
/// `%` and two digits for any character.
pub(crate) fn pairs(text: &str) -> impl Iterator<Item = Result<(String, String), String>> {
    text.split(',').filter(|part| !part.trim().is_empty()).map(|part| {
        let (name, value) = part.split_once('=').ok_or("where a part has no \"=\"; allowed: name=value, …")?;
        let decode = |text: &str| decode(text.trim()).ok_or("where what follows a \"%\" is no character of UTF-8");
        Ok((decode(name)?, decode(value)?))
    })
}

fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(if byte == b'%' {
            let mut digit = || char::from(rest.next()?).to_digit(16);
            (digit()? << 4 | digit()?) as u8
        } else {
            byte
        });
    }
    String::from_utf8(bytes).ok()
}

/// A random UUID (version 4), out of the standard library's hash keys, which the system's randomness makes.
fn uuid() -> String {
    let half = || RandomState::new().hash_one((std::process::id(), SystemTime::now()));
    let bits = u128::from(half()) << 64 | u128::from(half());
    let bits = bits & !(0xf << 76) & !(0x3 << 62) | 0x4 << 76 | 0x2 << 62;
    let hex = format!("{bits:032x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instances_differ_and_are_random_uuids() {
        let ids: Vec<String> = (0..100).map(|_| uuid()).collect();
        for id in &ids {
            let parts: Vec<&str> = id.split('-').collect();
            assert_eq!(parts.iter().map(|part| part.len()).collect::<Vec<_>>(), [8, 4, 4, 4, 12], "{id}");
            assert!(parts[2].starts_with('4') && parts[3].starts_with(['8', '9', 'a', 'b']), "{id}");
            assert_eq!(ids.iter().filter(|other| *other == id).count(), 1);
        }
    }

    #[test]
    fn attributes_are_there_once() {
        let resource =
            Resource::new().service("llm").with("zone", "a").with("zone", "b").with("telemetry.sdk.name", "");
        assert_eq!((resource.get("service.name"), resource.get("zone")), (Some("llm"), Some("b")));
        assert_eq!((resource.get("telemetry.sdk.name"), resource.get("telemetry.sdk.language")), (None, Some("rust")));
        assert!(Resource::new().get("service.name").unwrap().starts_with("unknown_service:tach"));
        assert_ne!(Resource::new(), Resource::new());
    }

    #[test]
    fn variables_say_whose_metrics_these_are() {
        let read = |vars: &[(&str, &str)]| Resource::from_vars(vars.iter().copied());
        let (attributes, service) = ("OTEL_RESOURCE_ATTRIBUTES", "OTEL_SERVICE_NAME");
        let found = read(&[(service, " b "), (attributes, "service.name=a, zone = %C3%A4,,x=y=z"), ("OTEL_X", "%")]);
        let found = found.unwrap();
        let values = ["service.name", "zone", "x", "telemetry.sdk.name"].map(|key| found.get(key));
        assert_eq!(values, [Some("b"), Some("ä"), Some("y=z"), Some("tach")]);
        let unset = read(&[(service, ""), (attributes, " ")]).unwrap();
        assert!(unset.get("service.name").unwrap().starts_with("unknown_service:tach"));
        let empty = read(&[(attributes, "zone=a,service.name=,service.instance.id= ,zone=")]).unwrap();
        assert!(empty.get("service.name").unwrap().starts_with("unknown_service:tach"));
        assert_eq!((empty.get("service.instance.id").map(str::len), empty.get("zone")), (Some(36), Some("a")));
        for (text, problem) in [("zone", "no \"=\""), ("a=%F", "\"%\""), ("=a", "no name")] {
            let error = read(&[(attributes, text), (service, "b")]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Setting);
            let text = error.to_string();
            assert!(text.starts_with("OTEL_RESOURCE_ATTRIBUTES is ") && text.contains(problem), "{text}");
        }
    }

    #[test]
    fn attributes_that_are_one_label_somewhere_are_one() {
        let with = |pairs: &[(&str, &str)]| {
            let resource = Resource(pairs.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect());
            resource.labels().map(|labels| labels.into_iter().map(|(key, value)| format!("{key}={value}")).collect())
        };
        let labels = |pairs: &[(&str, &str)]| -> Vec<String> { with(pairs).unwrap() };
        assert_eq!(labels(&[("a.b", "1"), ("z", ""), ("c", "2")]), ["a.b=1", "z=", "c=2"]);
        assert_eq!(labels(&[("a_b", "1"), ("c", "2"), ("a.b", "3"), ("a-b", "4")]), ["a_b=4;3;1", "c=2"]);
        assert_eq!(labels(&[("U__A_2e_b", "1"), ("c", "4"), ("A-b", "2"), ("A.b", "3")]), ["A_b=2;3;1", "c=4"]);
        for key in ["__name__", "..x", "", "a\n", &"k".repeat(201)] {
            let result: Result<Vec<String>, Error> = with(&[(key, "1")]);
            assert!(result.unwrap_err().to_string().starts_with("target_info: label "), "{key}");
        }
    }
}
