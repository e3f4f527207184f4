//! The self-check: replays the trace, and compares what was recorded with the plain account.

mod compare;
mod distribution;
#[cfg(target_os = "linux")]
mod outside;
mod same;

use crate::account::Account;
use crate::engine::{self, Settings, Start, Tally};
use crate::full::{self, Full, NOTICED, Peek, Way};
use crate::trace::Request;
use compare::{Comparison, Row, View};
#[cfg(target_os = "linux")]
use outside::Outside;
use std::time::Duration;
use tach::serve::{Clock, Identity, Kind, Metrics, Profile, Profiles, catalogue};
use tach::{Level, Registry, RegistryBuilder, Snapshot};

/// Gauges that may well be zero at the end.
const MAY_END_AT_ZERO: [&str; 2] = ["num_requests_queued", "generation_throughput"];

/// All of them, so that all instruments are made.
const PROFILES: [Profile; 5] =
    [Profile::MaxServe, Profile::MaxServeGone, Profile::Vllm, Profile::Sglang, Profile::GenAi];

/// What a check found.
#[derive(Debug)]
pub(crate) struct Verdict {
    pub(crate) tokens: u64,
    pub(crate) steps: u64,
    pub(crate) preemptions: u64,
    /// Instruments of the catalogue.
    pub(crate) instruments: usize,
    pub(crate) series: usize,
    /// Values compared.
    pub(crate) compared: u64,
    pub(crate) problems: Vec<String>,
}

/// Replays the trace, recording through `metrics`, which records nowhere yet. Also what the registry held in the end.
pub(crate) fn run(
    trace: &[Request],
    settings: &Settings,
    way: Way,
    metrics: &'static Metrics,
) -> Result<(Verdict, Snapshot), String> {
    let Replayed { tally, snapshot, comparison, .. } = replay(trace, settings, way, metrics, Registry::builder())?;
    Ok((Verdict::new(&tally, comparison), snapshot))
}

/// The same by `Recording::Process`: what the registry holds, and what is read from its file, is compared with the
/// account; and with `sharded`, the end of a run in which nothing but the recording was another.
#[cfg(target_os = "linux")]
pub(crate) fn run_process(
    trace: &[Request],
    settings: &Settings,
    way: Way,
    metrics: &'static Metrics,
    sharded: &Snapshot,
) -> Result<Verdict, String> {
    let outside = Outside::new()?;
    let Replayed { tally, registry, snapshot, account, seen, mut comparison } =
        replay(trace, settings, way, metrics, outside.builder())?;
    let mut against = Comparison::default();
    same::same(&mut against, &snapshot, sharded);
    comparison.add("against SHARDED", against);
    comparison.add("the segment", outside.compare(&account, registry, &seen)?);
    Ok(Verdict::new(&tally, comparison))
}

/// A replay that is over.
struct Replayed {
    tally: Tally,
    registry: Registry,
    snapshot: Snapshot,
    account: Vec<Row>,
    /// The levels that were above zero at some time.
    seen: Vec<&'static str>,
    /// Of the registry's own snapshot with the account.
    comparison: Comparison,
}

fn replay(
    trace: &[Request],
    settings: &Settings,
    way: Way,
    metrics: &'static Metrics,
    builder: RegistryBuilder,
) -> Result<Replayed, String> {
    let length = settings.arrival(trace.last().map_or(0, |last| last.at));
    if length > NOTICED / 4 * 3 {
        return Err(format!("the trace takes {} s of virtual time: raise --workers", length / 1_000_000_000));
    }
    let error = |error: tach::Error| error.to_string();
    let registry = builder.level(Level::Detailed).build().map_err(error)?;
    let (clock, hand) = Clock::manual();
    // Only what has vanished is timed by the clock itself.
    hand.advance(Duration::from_nanos(full::stamp(NOTICED).since(clock.now())));
    let profiles = Profiles::new(&PROFILES, &Identity::default()).map_err(error)?;
    metrics.attach(&registry, &profiles, full::objectives(), clock).map_err(error)?;

    let levels = catalogue().filter(|row| row.kind == Kind::Delta).map(|row| row.name);
    let levels: Vec<_> = levels.chain(MAY_END_AT_ZERO).collect();
    let observe = || Full::<Account>::new(metrics, way, Some(Peek::new(registry.clone(), levels.clone())));
    let outcome = engine::run(trace, settings, Start::Meanwhile, observe);

    let mut loaded = Account::default();
    full::load(metrics, &mut loaded);
    metrics.detach();
    let mut seen = Vec::new();
    let mut accounts = vec![loaded];
    for observer in outcome.observers {
        accounts.push(observer.book);
        seen.extend(observer.peek.into_iter().flat_map(|peek| peek.seen));
    }
    let account = Account::merged(accounts).into_sorted();
    let snapshot = registry.snapshot();
    let mut comparison = compare::compare(&account, View { snapshot: &snapshot, process: None }, &seen);
    let recorded = snapshot.counter("maxserve.num_output_tokens", &[]);
    comparison.equal("output tokens, as the engine counts them", recorded, Some(outcome.tally.tokens));
    Ok(Replayed { tally: outcome.tally, registry, snapshot, account, seen, comparison })
}

impl Verdict {
    fn new(tally: &Tally, comparison: Comparison) -> Self {
        Self {
            tokens: tally.tokens,
            steps: tally.steps,
            preemptions: tally.preemptions,
            instruments: catalogue().count(),
            series: comparison.series,
            compared: comparison.compared,
            problems: comparison.problems,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::{BARE, Book};
    use crate::trace;
    use tach::serve::{BatchType, Objectives};

    pub(super) fn metrics() -> &'static Metrics {
        Box::leak(Box::new(Metrics::new()))
    }

    #[test]
    fn the_sample_is_recorded_exactly_by_any_number_of_workers_in_either_way() {
        let trace = trace::read(None).unwrap();
        for workers in [1, 4] {
            for way in [Way::Step, Way::Mixed] {
                let (verdict, _) = run(&trace, &Settings::new(workers), way, metrics()).unwrap();
                assert_eq!(verdict.problems, Vec::<String>::new(), "{workers} workers, {way:?}");
                assert_eq!(verdict.tokens, trace.iter().filter(|r| r.prompt < 48_000).map(|r| r.output).sum());
                assert!(verdict.preemptions > 0, "the sample must fill the caches");
                assert!(verdict.compared > 1_000, "{verdict:?}");
            }
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_sample_in_a_segment_is_what_it_is_in_memory_and_not_that_of_other_workers() {
        let trace = trace::read(None).unwrap();
        let settings = Settings::new(2);
        let (_, sharded) = run(&trace, &settings, Way::Mixed, metrics()).unwrap();
        let verdict = run_process(&trace, &settings, Way::Mixed, metrics(), &sharded).unwrap();
        assert_eq!(verdict.problems, Vec::<String>::new());
        let other = run_process(&trace, &Settings::new(1), Way::Mixed, metrics(), &sharded).unwrap();
        assert!(!other.problems.is_empty());
        let is_against = |problem: &String| problem.starts_with("against SHARDED: ");
        assert!(other.problems.iter().all(is_against), "{:?}", other.problems);
    }

    #[test]
    fn what_the_account_lacks_is_found() {
        let registry = Registry::new();
        let profiles = Profiles::new(&[Profile::MaxServe], &Identity::default()).unwrap();
        let metrics = metrics();
        metrics.attach(&registry, &profiles, Objectives::default(), Clock::new()).unwrap();
        let problems = |account: Account, of: &str| -> Vec<String> {
            let snapshot = registry.snapshot();
            let view = View { snapshot: &snapshot, process: None };
            let found = compare::compare(&Account::merged([account]).into_sorted(), view, &[]).problems;
            found.into_iter().filter(|problem| problem.starts_with(of) && !problem.contains("nothing")).collect()
        };
        metrics.itl(Duration::from_millis(5));
        metrics.itl(Duration::from_millis(7));
        let account = |values: &[u64]| {
            let mut account = Account::default();
            values.iter().for_each(|value| account.value("itl", BARE, *value));
            account
        };
        assert_eq!(problems(account(&[5_000_000, 7_000_000]), "itl"), Vec::<String>::new());
        assert_eq!(problems(Account::default(), "itl"), ["itl: recorded, and the account has no such series"]);
        // The same count, sum, smallest and largest would not do.
        let shifted = problems(account(&[5_000_001, 6_999_999]), "itl:");
        assert!(shifted.iter().any(|problem| problem.contains("the smallest")), "{shifted:?}");

        metrics.batch_size(3, BatchType::Decode);
        let found = problems(account(&[]), "batch_size");
        assert_eq!(found, ["batch_size{batch_type=\"TG\"}: recorded, and the account has no such series"]);
    }
}
