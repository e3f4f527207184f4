//! The trace: when requests arrive, and how many tokens they bring and get.

use crate::engine::mix;
use std::fs;
use std::path::Path;
use std::time::SystemTime;

/// The columns of the Azure LLM inference traces.
const HEADER: &str = "TIMESTAMP,ContextTokens,GeneratedTokens";

/// Made for this program: bursts of long prompts, a request of one token, two that leave the queue (no tokens), one
/// that fits no cache.
const SAMPLE: &str = include_str!("../sample.csv");

/// One request of the trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    /// Its place in the trace.
    pub(crate) index: u64,
    /// When it arrives, in nanoseconds since the first one.
    pub(crate) at: u64,
    /// Tokens of its prompt.
    pub(crate) prompt: u64,
    /// Tokens to generate. None: its client leaves before it is scheduled.
    pub(crate) output: u64,
}

/// The requests of a trace in the order of their arrival.
pub(crate) fn read(path: Option<&Path>) -> Result<Vec<Request>, String> {
    let Some(path) = path else {
        return parse(SAMPLE).map_err(|what| format!("the built-in sample: {what}"));
    };
    let name = path.display();
    let text = fs::read_to_string(path).map_err(|error| format!("{name}: {error}: give the path of a trace"))?;
    parse(&text).map_err(|what| format!("{name}: {what}"))
}

/// The trace so many times over, a mean gap apart, beginning with a request that the seed chooses.
pub(crate) fn repeated(trace: &[Request], rounds: usize, seed: u64) -> Vec<Request> {
    let (length, last) = (trace.len(), trace.last().map_or(0, |last| last.at));
    let period = last + last / length as u64;
    let first = (mix(seed) % length as u64) as usize;
    let place = |i: usize| (i / length) as u64 * period + trace[i % length].at;
    let request = |i: usize| Request { index: i as u64, at: place(i) - place(first), ..trace[i % length] };
    (first..first + rounds * length).map(request).collect()
}

fn parse(text: &str) -> Result<Vec<Request>, String> {
    let mut lines = text.lines();
    let header = lines.next().unwrap_or_default().trim_start_matches('\u{feff}');
    if header != HEADER {
        return Err(format!("the first line is {header:?}, and should be {HEADER:?}"));
    }
    let mut start = None;
    let mut requests: Vec<Request> = Vec::new();
    for (index, line) in (0..).zip(lines) {
        let wrong = || format!("line {}: {line:?} is not a time and two whole numbers", index + 2);
        let (time, prompt, output) = row(line).ok_or_else(wrong)?;
        let start = *start.get_or_insert(time);
        let late = || format!("line {}: it arrives before the request above", index + 2);
        let at = time.duration_since(start).map_err(|_| late())?.as_nanos() as u64;
        if requests.last().is_some_and(|last| last.at > at) {
            return Err(late());
        }
        requests.push(Request { index, at, prompt, output });
    }
    if requests.is_empty() { Err("it has no requests".to_owned()) } else { Ok(requests) }
}

fn row(line: &str) -> Option<(SystemTime, u64, u64)> {
    let mut fields = line.split(',');
    let time = humantime::parse_rfc3339_weak(fields.next()?).ok()?;
    let row = (time, fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    fields.next().is_none().then_some(row)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_since_the_first_and_lines_may_end_as_on_windows() {
        let text = "TIMESTAMP,ContextTokens,GeneratedTokens\r\n2023-11-16 23:59:59.5000000,374,44\r\n\
                    2023-11-17 00:00:01.0000001,396,109\r\n";
        assert_eq!(
            parse(text).unwrap(),
            [
                Request { index: 0, at: 0, prompt: 374, output: 44 },
                Request { index: 1, at: 1_500_000_100, prompt: 396, output: 109 },
            ]
        );
    }

    #[test]
    fn rounds_follow_each_other_and_seeds_begin_elsewhere() {
        let trace = read(None).unwrap();
        let length = trace.len();
        let sum = |requests: &[Request]| requests.iter().map(|request| request.output).sum::<u64>();
        let mut begins = Vec::new();
        for seed in 0..3 {
            let twice = repeated(&trace, 2, seed);
            assert_eq!((twice.len(), twice[0].at), (2 * length, 0));
            assert!(twice.is_sorted_by_key(|request| request.at));
            assert!(twice.windows(2).all(|pair| pair[0].index + 1 == pair[1].index));
            assert_eq!(sum(&twice[length / 2..][..length]), sum(&trace), "each request once in a round");
            begins.push(twice[0].index);
        }
        begins.dedup();
        assert_eq!(begins.len(), 3, "{begins:?}");
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        assert!(parse("a,b\n").unwrap_err().contains("TIMESTAMP"));
        assert!(parse(&format!("{HEADER}\n")).unwrap_err().contains("no requests"));
        let short = parse(&format!("{HEADER}\n2023-11-16 18:15:46,374\n")).unwrap_err();
        assert!(short.starts_with("line 2: "), "{short}");
        let order = format!("{HEADER}\n2023-11-16 18:15:46,1,1\n2023-11-16 18:15:45,1,1\n");
        assert!(parse(&order).unwrap_err().starts_with("line 3: "));
    }
}
