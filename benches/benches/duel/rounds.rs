//! Interleaved rounds: the ratios of the table.
//!
//! A group's contenders run in turn, in short runs, the floor between any two of them. A ratio compares a run with the
//! two floor runs around it, a few hundred microseconds away, so that a slow moment of a shared machine hits both; the
//! table shows the median over all rounds. The starting point rotates, so that nobody always follows the same
//! neighbour.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::contender::{Contender, Gate, Work, warm_up};
use crate::groups::{Group, Lanes};
use crate::options::Effort;
use crate::stats::{kept, median, spread};
use crate::values::Values;

/// What the rounds say about one contender.
pub(crate) struct Outcome {
    pub(crate) name: &'static str,
    pub(crate) note: String,
    /// Median nanoseconds per unit of work.
    pub(crate) nanos: f64,
    /// See [`spread`], of the ratio to the floor.
    pub(crate) spread: f64,
    pub(crate) over_floor: f64,
    pub(crate) over_tach: Option<f64>,
    /// With two lanes: over the same contender's time alone in the same round.
    pub(crate) over_alone: Option<f64>,
}

/// Samples of one contender, one per round.
#[derive(Default)]
struct Samples {
    nanos: Vec<f64>,
    over_floor: Vec<f64>,
    over_alone: Vec<f64>,
}

impl Samples {
    /// The contender's note, and a warning when most of its rounds had to be discarded.
    fn remark(&self, note: &str) -> String {
        let (kept, all) = (kept(&self.nanos), self.nanos.len());
        if 2 * kept >= all {
            return note.to_owned();
        }
        format!("only {kept} of {all} rounds ran on two cores at once; {note}")
    }
}

/// Runs a group; the floor comes first in the result.
pub(crate) fn run(group: &Group, effort: &Effort) -> Vec<Outcome> {
    thread::scope(|scope| {
        let partner = (group.lanes == Lanes::Two).then(|| {
            let (jobs, todo) = channel();
            let (report, done) = channel();
            scope.spawn(move || second_lane(group, &todo, &report));
            Partner { jobs, done }
        });
        Rounds { group, partner }.run(effort)
    })
}

struct Rounds<'a> {
    group: &'a Group,
    partner: Option<Partner>,
}

impl Rounds<'_> {
    fn run(&self, effort: &Effort) -> Vec<Outcome> {
        let group = self.group;
        let floor_iterations = calibrate(&group.floor, &group.values, effort.run);
        let iterations: Vec<u64> =
            group.contenders.iter().map(|contender| calibrate(contender, &group.values, effort.run)).collect();
        let floor = || {
            let time = group.floor.run_alone(floor_iterations, &group.values);
            per_unit(time, floor_iterations, &group.floor)
        };
        let mut floor_nanos = Vec::new();
        let mut samples: Vec<Samples> = group.contenders.iter().map(|_| Samples::default()).collect();
        let start = Instant::now();
        for round in 0..effort.rounds {
            if round >= Effort::LEAST && start.elapsed() > effort.total {
                break;
            }
            let mut before = floor();
            for turn in 0..group.contenders.len() {
                let i = (turn + round) % group.contenders.len();
                let contender = &group.contenders[i];
                let alone = per_unit(contender.run_alone(iterations[i], &group.values), iterations[i], contender);
                let nanos = match &self.partner {
                    None => alone,
                    Some(partner) => {
                        let both = partner.run_both(group, i, iterations[i]);
                        let nanos = both.map_or(f64::NAN, |time| per_unit(time, iterations[i], contender));
                        samples[i].over_alone.push(nanos / alone);
                        nanos
                    }
                };
                let after = floor();
                samples[i].nanos.push(nanos);
                samples[i].over_floor.push(nanos / ((before + after) / 2.0));
                floor_nanos.push(after);
                before = after;
            }
        }
        self.outcomes(floor_nanos, samples)
    }

    fn outcomes(&self, mut floor_nanos: Vec<f64>, mut samples: Vec<Samples>) -> Vec<Outcome> {
        let group = self.group;
        let tach = group.contenders.iter().position(|contender| contender.reference);
        let tach: Option<Vec<f64>> = tach.map(|i| samples[i].nanos.clone());
        let over_tach = |nanos: &[f64]| {
            let mut ratios: Vec<f64> = nanos.iter().zip(tach.as_ref()?).map(|(nanos, tach)| nanos / tach).collect();
            Some(median(&mut ratios))
        };
        let floor = median(&mut floor_nanos);
        let mut outcomes = vec![Outcome {
            name: group.floor.name,
            note: group.floor.note.clone(),
            nanos: floor,
            spread: spread(&mut floor_nanos),
            over_floor: 1.0,
            over_tach: tach.clone().map(|mut tach| floor / median(&mut tach)),
            over_alone: None,
        }];
        outcomes.extend(group.contenders.iter().zip(&mut samples).map(|(contender, samples)| Outcome {
            name: contender.name,
            note: samples.remark(&contender.note),
            over_tach: over_tach(&samples.nanos), // Before sorting: it pairs by round.
            nanos: median(&mut samples.nanos),
            spread: spread(&mut samples.over_floor),
            over_floor: median(&mut samples.over_floor),
            over_alone: (!samples.over_alone.is_empty()).then(|| median(&mut samples.over_alone)),
        }));
        outcomes
    }
}

fn per_unit(time: Duration, iterations: u64, contender: &Contender) -> f64 {
    time.as_nanos() as f64 / iterations as f64 / contender.units
}

/// Iterations that take about `run`, at least one.
fn calibrate(contender: &Contender, values: &Values, run: Duration) -> u64 {
    let mut iterations = 1;
    loop {
        // The best of three: an interrupted run would make all runs of this contender too short for its branches and
        // cache lines to be as warm as the others'.
        let times = [(); 3].map(|()| contender.run_alone(iterations, values));
        let time = times[0].min(times[1]).min(times[2]);
        if time >= run / 2 {
            let scale = run.as_secs_f64() / time.as_secs_f64();
            return ((iterations as f64 * scale) as u64).max(1);
        }
        iterations *= 2;
    }
}

/// The second lane's thread, which lives as long as the group: a thread that is born for each run would pay for its
/// first touch of every metric each time, and would look like a new thread to those that shard by thread.
struct Partner {
    jobs: Sender<Job>,
    done: Receiver<Duration>,
}

struct Job {
    contender: usize,
    iterations: u64,
    gate: Arc<Gate>,
}

impl Partner {
    /// Runs on both lanes at once: the mean of what each of them took, or nothing if they did not overlap.
    fn run_both(&self, group: &Group, contender: usize, iterations: u64) -> Option<Duration> {
        let gate = Arc::new(Gate::new(2));
        self.jobs.send(Job { contender, iterations, gate: gate.clone() }).expect("the second lane is alive");
        let here = lane(group, contender, iterations, &gate);
        let there = self.done.recv().expect("the second lane is alive");
        let mean = (here + there) / 2;
        (gate.stagger() < mean / 10).then_some(mean)
    }
}

fn second_lane(group: &Group, todo: &Receiver<Job>, report: &Sender<Duration>) {
    for job in todo {
        let time = lane(group, job.contender, job.iterations, &job.gate);
        if report.send(time).is_err() {
            return;
        }
    }
}

fn lane(group: &Group, contender: usize, iterations: u64, gate: &Gate) -> Duration {
    let work = Work { iterations, warm_up: warm_up(iterations), values: &group.values, gate };
    group.contenders[contender].run(&work)
}
