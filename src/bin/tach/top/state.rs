//! What is shown, and how keys change it.

use super::sample::{Line, Process, Sample, Span};

/// Two looks, and what of them is looked at.
#[derive(Debug)]
pub(super) struct State {
    pub(super) place: String,
    now: Sample,
    before: Option<Sample>,
    pub(super) is_paused: bool,
    /// Since the start, rather than since the last look.
    pub(super) is_whole: bool,
    /// Of the process that the metrics are of: the segment's id, so that it stays when others come and go.
    process: [u64; 2],
    /// Of the metric that the curve is of.
    metric: Option<String>,
}

/// What a key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Up,
    Down,
    Left,
    Right,
    Pause,
    Toggle,
    Quit,
}

impl State {
    pub(super) fn new(place: String, now: Sample) -> Self {
        Self { place, now, before: None, is_paused: false, is_whole: false, process: [0; 2], metric: None }
    }

    /// Takes another look. Nothing, while paused.
    pub(super) fn look(&mut self, now: Sample) {
        if !self.is_paused {
            self.before = Some(std::mem::replace(&mut self.now, now));
        }
    }

    /// False: to end.
    pub(super) fn press(&mut self, key: Key) -> bool {
        match key {
            Key::Quit => return false,
            Key::Pause => self.is_paused = !self.is_paused,
            Key::Toggle => self.is_whole = !self.is_whole,
            Key::Up | Key::Down => {
                let lines = self.lines();
                let at = moved(self.metric_index(&lines), lines.len(), key == Key::Down);
                self.metric = at.map(|at| lines[at].name.clone());
            }
            Key::Left | Key::Right => {
                let processes = &self.now.processes;
                let at = moved(Some(self.process_index()), processes.len(), key == Key::Right);
                self.process = at.map_or([0; 2], |at| processes[at].id);
            }
        }
        true
    }

    pub(super) fn sample(&self) -> &Sample {
        &self.now
    }

    pub(super) fn span(&self, process: &Process) -> Span {
        process.span(&self.now, self.before.as_ref().filter(|_| !self.is_whole))
    }

    pub(super) fn process_index(&self) -> usize {
        self.now.processes.iter().position(|process| process.id == self.process).unwrap_or(0)
    }

    /// The metrics of the chosen process.
    pub(super) fn lines(&self) -> Vec<Line> {
        let process = self.now.processes.get(self.process_index());
        process.map_or_else(Vec::new, |process| self.span(process).lines())
    }

    /// The chosen one of `lines`: unless chosen, the gaps between tokens, or else the first distribution.
    pub(super) fn metric_index(&self, lines: &[Line]) -> Option<usize> {
        let named = |name: &String| lines.iter().position(|line| line.name == *name);
        let first = |wanted: fn(&Line) -> bool| lines.iter().position(wanted);
        self.metric
            .as_ref()
            .and_then(named)
            .or_else(|| first(|line| line.histogram.is_some() && line.name.starts_with("maxserve_itl_milliseconds")))
            .or_else(|| first(|line| line.histogram.is_some()))
            .or_else(|| first(|_| true))
    }
}

/// One on or back, of `len`, and not beyond the ends.
fn moved(at: Option<usize>, len: usize, is_on: bool) -> Option<usize> {
    let at = at.unwrap_or(0);
    let at = if is_on { at + 1 } else { at.saturating_sub(1) };
    (len > 0).then(|| at.min(len - 1))
}
