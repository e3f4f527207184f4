//! What the tables of the profiles name is there, and the page on them names what the tables do.

use super::{Identity, PREFIX, Profile, Profiles};
use crate::collect::view::{ViewFamily, ViewKind};
use crate::serve::{CacheConfig, Clock, Metrics, Objectives};
use crate::{Registry, Unit};
use std::collections::BTreeSet;

const ALL: &[Profile] = Profile::ALL;

fn everything(list: &[Profile]) -> (Registry, Profiles) {
    let profiles = Profiles::new(list, &Identity::default()).unwrap();
    let registry = Registry::new();
    let metrics = Metrics::new();
    metrics.attach(&registry, &profiles, Objectives::default(), Clock::manual().0).unwrap();
    metrics.cache_config_info(&CacheConfig {
        block_size: 16,
        num_blocks: 100,
        cache_dtype: "bfloat16",
        enable_prefix_caching: true,
        gpu_memory_utilization: 0.9,
    });
    metrics.lora_requests_info(4, &["sql"], &["law"], 100.0);
    (registry, profiles)
}

#[test]
fn every_source_fits_and_every_bound_is_exact() {
    for list in ALL.chunks(1).chain([ALL]) {
        let (registry, profiles) = everything(list);
        assert_eq!(profiles.faults(&registry.snapshot()), Vec::<String>::new(), "{list:?}");
    }
}

#[test]
fn a_bound_that_is_not_declared_is_a_fault() {
    let (_, profiles) = everything(&[Profile::Vllm]);
    let (other, _) = everything(&[Profile::MaxServe]);
    let faults = profiles.faults(&other.snapshot());
    assert!(faults.iter().any(|fault| fault.contains("has no exact count up to 0.005 of Seconds")), "{faults:?}");
}

fn exposed(family: &ViewFamily) -> String {
    let mut name = family.name.replace('.', "_");
    if family.unit == Unit::Seconds && !name.ends_with("_seconds") {
        name += "_seconds";
    }
    if family.kind == ViewKind::Counter {
        name += "_total";
    }
    name
}

#[test]
fn the_page_on_profiles_names_every_family_and_what_it_is_made_of() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/PROFILES.md")).unwrap();
    // The first table is of the profiles themselves.
    let (_, page) = page.split_once("\n## ").unwrap();
    let mut rows: BTreeSet<&str> = page.lines().filter(|line| line.starts_with("|`")).collect();
    for &profile in ALL {
        for family in profile.families(&Identity::default()) {
            let name = exposed(&family);
            let row = rows.iter().copied().find(|row| row.starts_with(&format!("|`{name}`|")));
            let row = row.unwrap_or_else(|| panic!("{name} has no row"));
            rows.remove(row);
            let labels = family.labels.iter().map(|label| format!("`{label}`")).collect::<Vec<_>>().join(", ");
            let cells: Vec<&str> = row.split('|').collect();
            assert_eq!(cells[2], labels, "labels of {name}");
            for source in &family.sources {
                let source = source.metric.strip_prefix(PREFIX).unwrap();
                assert!(cells[3].contains(&format!("`{source}`")), "{name} is made of {source} too: {row}");
            }
        }
    }
    assert!(rows.is_empty(), "no profile has {rows:?}");
}
