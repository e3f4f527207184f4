//! What recording costs per token: the engine's threads with a contender, less the same without any.

use crate::engine::Settings;
use crate::peers::{self, Contender, Run};
use crate::trace::Request;

/// Tokens per second at which a share of a core is told: more than the fastest front end known makes.
const RATE: f64 = 2e6;

/// One contender's rounds.
struct Row {
    contender: Contender,
    /// Nanoseconds per token beyond those of the bare engine, by round.
    costs: Vec<f64>,
    last: Option<Run>,
}

/// Measures and prints.
pub(crate) fn run(trace: &[Request], workers: usize, rounds: usize, only: &str) -> Result<(), String> {
    let settings = Settings { drafts: false, ..Settings::new(workers) };
    let bare = peers::nothing::nothing();
    let mut all = contenders().map_err(|error| error.to_string())?;
    all.retain(|contender| contender.name.contains(only));
    if all.is_empty() {
        return Err(format!("no contender's name contains {only:?}"));
    }
    let mut rows: Vec<_> = all.into_iter().map(Row::new).collect();
    let mut engine = Vec::new();
    (bare.run)(trace, &settings); // The first run also faults the memory in.
    for round in 0..=rounds {
        for row in &mut rows {
            // Alternating, so that what changes on the machine changes for both.
            let settings = Settings { work: row.contender.work, ..settings };
            let without = per_token(&(bare.run)(trace, &settings));
            let run = (row.contender.run)(trace, &settings);
            if run.counted.is_some_and(|counted| counted != run.tokens) {
                let name = row.contender.name;
                return Err(format!("{name} counted {:?} tokens, and there were {}", run.counted, run.tokens));
            }
            // Round 0 warms up: shards, series, caches.
            if round > 0 {
                if settings.work == 0 {
                    engine.push(without);
                }
                row.costs.push(per_token(&run) - without);
            }
            row.last = Some(run);
        }
        eprintln!("round {round} of {rounds}");
    }
    print(&mut rows, workers, median(&mut engine));
    Ok(())
}

fn contenders() -> Result<Vec<Contender>, Box<dyn std::error::Error>> {
    let mut all = peers::nothing::clocks();
    all.extend(peers::tach::contenders()?);
    all.extend(peers::prometheus::contenders()?);
    all.push(peers::queue::contender()?);
    all.push(peers::metrics::contender()?);
    Ok(all)
}

impl Row {
    fn new(contender: Contender) -> Self {
        Self { contender, costs: Vec::new(), last: None }
    }

    fn median(&mut self) -> f64 {
        median(&mut self.costs)
    }
}

/// CPU nanoseconds of the engine's thread per token.
fn per_token(run: &Run) -> f64 {
    run.cpu.as_nanos() as f64 / run.tokens.max(1) as f64
}

fn median(values: &mut [f64]) -> f64 {
    quantile(values, 0.5)
}

fn quantile(values: &mut [f64], q: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let place = q * (values.len().saturating_sub(1)) as f64;
    values.get(place.round() as usize).copied().unwrap_or(f64::NAN)
}

fn print(rows: &mut [Row], workers: usize, engine: f64) {
    println!("workers: {workers}. engine alone: {engine:.2} ns of its threads' CPU time per token (median)");
    println!("cost of recording beyond that, per token, of the engine's threads unless told:\n");
    println!(
        "{:<40} {:>8} {:>15} {:>8} {:>9} {:>10} {:>9}",
        "", "ns", "quartiles", "ratio", "of a core", "elsewhere", "waiting"
    );
    let ours = cost(rows, "tach METRICS.itl + .output_tokens");
    for row in rows.iter_mut() {
        let (cost, low, high) = (row.median(), quantile(&mut row.costs, 0.25), quantile(&mut row.costs, 0.75));
        let last = row.last.as_ref().expect("there is a round");
        let elsewhere = last.elsewhere.as_nanos() as f64 / last.tokens.max(1) as f64;
        println!(
            "{:<40} {cost:>8.2} {:>15} {:>8.1} {:>7.2} % {:>10} {:>9}  {}",
            row.contender.name,
            format!("{low:.2}..{high:.2}"),
            cost / ours,
            cost * 1e-9 * RATE * 100.0,
            if elsewhere > 0.0 { format!("{elsewhere:.1} ns") } else { String::new() },
            if last.backlog > 0 { last.backlog.to_string() } else { String::new() },
            row.contender.note,
        );
    }
    println!(
        "\nratio: to METRICS.itl + .output_tokens. of a core: at {:.0} million tokens per second. elsewhere: CPU time of\n\
         other threads for the recordings. waiting: the most measurements that waited for those.\n",
        RATE / 1e6
    );
    let life = cost(rows, "tach RequestTimer, not told of tokens");
    let beyond = |rows: &mut [Row], timer, clock| cost(rows, timer) - life - cost(rows, clock);
    target("two updates per token", ours, 10.0);
    let alone = beyond(rows, "tach RequestTimer::tokens", "Clock::now alone");
    target("RequestTimer::tokens beyond its life and a clock reading that nothing waits for", alone, 4.0);
    let used = beyond(rows, "tach RequestTimer::tokens", "Clock::now, and an addition by it");
    target("RequestTimer::tokens beyond its life and a clock reading that an addition waits for", used, 4.0);
    let busy = beyond(rows, "tach RequestTimer::tokens, engine busy", "Clock::now alone, engine busy");
    target("RequestTimer::tokens beyond its life and the clock, in a busy engine", busy, 4.0);
}

fn cost(rows: &mut [Row], name: &str) -> f64 {
    rows.iter_mut().find(|row| row.contender.name == name).map_or(f64::NAN, Row::median)
}

fn target(what: &str, cost: f64, limit: f64) {
    if cost.is_nan() {
        return; // Left out.
    }
    let word = if cost <= limit { "met" } else { "MISSED" };
    println!("target {word}: {what}: {cost:.2} ns, at most {limit:.0}");
}
