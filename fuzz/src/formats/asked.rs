//! What may be shown besides a registry's metrics: windows, whose metrics they are, a difference, one sort of buckets.

use super::names::name;
use crate::exposition::Labels;
use crate::model::{is_label_name, is_same_label};
use crate::names::escape;
use crate::scenario::{label_value, list};
use arbitrary::{Result, Unstructured};
use std::time::Duration;
use tach::{Escaping, HistogramBuckets, Registry, Resource, Snapshot, Windows};

/// Long, so that no run is long enough for another beginning.
const LENGTHS: [Duration; 2] = [Duration::from_secs(3600), Duration::from_secs(9000)];
const SHARES: [f64; 10] = [0.0, -0.0, 0.5, 0.99, 1.0, 1e-7, f64::MIN_POSITIVE, 1.5, -0.5, f64::NAN];
const BUCKETS: [HistogramBuckets; 3] =
    [HistogramBuckets::Both, HistogramBuckets::NativeOnly, HistogramBuckets::ClassicOnly];
/// What every resource has unless it is changed.
const DEFAULTS: [&str; 5] =
    ["service.name", "service.instance.id", "telemetry.sdk.name", "telemetry.sdk.language", "telemetry.sdk.version"];

/// A page that is asked for.
pub(super) struct Asked {
    pub(super) snapshot: Snapshot,
    /// The labels of `target_info`, where it is shown.
    pub(super) target: Option<Labels>,
    pub(super) buckets: HistogramBuckets,
}

impl Asked {
    /// Of the last snapshot, or of what is between an earlier one and it.
    pub(super) fn of([first, _, third, last]: &[Snapshot; 4], u: &mut Unstructured) -> Result<Self> {
        let snapshot = u.choose(&[last.clone(), last.since(third), last.since(first)])?.clone();
        let buckets = *u.choose(&BUCKETS)?;
        if !u.ratio(1, 2)? {
            return Ok(Self { snapshot, target: None, buckets });
        }
        let attributes = list(u, 4, |u| Ok((name(u)?, label_value(u)?)))?;
        let (snapshot, target) = with_target(snapshot, &attributes);
        Ok(Self { snapshot, target, buckets })
    }
}

/// The snapshot with `target_info` and the labels that this should have, if the attributes can be labels; as it is
/// otherwise.
///
/// # Panics
///
/// They were taken for labels that they cannot be, or not for those that they can.
pub(crate) fn with_target(snapshot: Snapshot, attributes: &[(String, String)]) -> (Snapshot, Option<Labels>) {
    let resource = attributes.iter().fold(Resource::new(), |resource, (key, value)| resource.with(key, value));
    let mut keys: Vec<&str> = DEFAULTS.into_iter().chain(attributes.iter().map(|(key, _)| &**key)).collect();
    keys.sort_unstable();
    keys.dedup();
    let pairs: Vec<(&str, &str)> = keys.into_iter().filter_map(|key| Some((key, resource.get(key)?))).collect();
    let shown = snapshot.target_info(&resource);
    assert_eq!(shown.is_ok(), pairs.iter().all(|(key, _)| is_label_name(key, true, false)), "{resource:?}");
    match shown {
        Ok(shown) => (shown, Some(labels(&pairs))),
        Err(_) => (snapshot, None),
    }
}

/// The attributes as labels, in ascending order of their keys: those that are one in some escaping are.
fn labels(pairs: &[(&str, &str)]) -> Labels {
    let mut groups: Vec<Vec<(&str, &str)>> = Vec::new();
    for pair in pairs {
        let is_same = |group: &Vec<(&str, &str)>| group.iter().any(|(key, _)| is_same_label(key, pair.0));
        let (same, others): (Vec<_>, Vec<_>) = groups.into_iter().partition(is_same);
        groups = others;
        groups.push(same.into_iter().flatten().chain([*pair]).collect());
    }
    let label = |mut group: Vec<(&str, &str)>| {
        group.sort_unstable();
        let values: Vec<&str> = group.iter().map(|(_, value)| *value).collect();
        let key = group[0].0;
        let name = if group.len() == 1 { key.to_owned() } else { escape(key, Escaping::Underscores, "") };
        (name, values.join(";"))
    };
    groups.into_iter().map(label).collect()
}

/// Windows of all histograms, as gauges or as summaries. None where they are not wanted, or a name of theirs is taken.
pub(super) fn windows(registry: &Registry, u: &mut Unstructured) -> Result<Option<Windows>> {
    if u.ratio(1, 8)? {
        // What gives way to whose all metrics are; another page shows it.
        let name = *u.choose(&["target", "target_info", "target.info"])?;
        if let Ok(gauge) = registry.gauge(name).build() {
            gauge.set(5.0);
        }
    }
    if u.ratio(1, 2)? {
        return Ok(None);
    }
    let lengths = &LENGTHS[..u.int_in_range(1..=LENGTHS.len())?];
    let shares = list(u, 4, |u| Ok(*u.choose(&SHARES)?))?;
    let is_legal = |(index, share): (usize, &f64)| (0.0..=1.0).contains(share) && !shares[..index].contains(share);
    let Ok(windows) = Windows::start(registry, &[], lengths) else { return Ok(None) };
    let windows = if u.ratio(3, 4)? { windows.summaries() } else { Ok(windows) };
    let Ok(windows) = windows else { return Ok(None) };
    let windows = windows.quantiles(&shares);
    assert_eq!(windows.is_ok(), shares.iter().enumerate().all(is_legal), "{shares:?}");
    Ok(windows.ok())
}
