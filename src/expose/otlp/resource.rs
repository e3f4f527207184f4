//! Whose metrics these are.

use super::super::wire::push_message;
use super::points::push_attribute;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::time::SystemTime;

const NAME: &str = "service.name";

/// The attributes that tell one process from every other one, each once. All are strings.
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

    /// Sets an attribute, in place of what it was before. An empty value removes it.
    #[must_use]
    pub fn with(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        let (key, value) = (key.into(), value.into());
        self.0.retain(|(there, _)| *there != key);
        if !value.is_empty() {
            self.0.push((key, value));
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

    /// Appends it as field `field`.
    pub(super) fn push(&self, out: &mut Vec<u8>, field: u32) {
        push_message(out, field, |out| self.0.iter().for_each(|(key, value)| push_attribute(out, 1, key, value)));
    }
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
}
