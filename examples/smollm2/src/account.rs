//! Accounts of several processes: added up, sent from one to another, and written to a file.
//!
//! What a worker had recorded when it was killed is known to one step: it sends its account just before it records the
//! same. So there are two accounts of all processes, the least and the most that can have been recorded, and they differ
//! by the last steps of workers that were killed, and in nothing else.

use std::fmt::Write;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use tach::serve::{Instrument, Origin, catalogue};

use crate::ledger::{Expected, Ledger};

/// See the module.
#[derive(Debug, Default, Clone)]
pub(crate) struct Account {
    pub(crate) least: Ledger,
    pub(crate) most: Ledger,
}

impl Account {
    /// One that is known exactly.
    pub(crate) fn exact(ledger: Ledger) -> Self {
        Self { least: ledger.clone(), most: ledger }
    }

    /// What its owner had recorded before is recorded for sure, and `newest` perhaps.
    pub(crate) fn advance(&mut self, newest: Ledger) {
        self.least = std::mem::replace(&mut self.most, newest);
    }

    /// Its owner is gone: what it held is gone with it, and what it counted stays.
    pub(crate) fn end(&mut self) {
        (self.least.kv_tokens, self.most.kv_tokens) = (0, 0);
    }

    pub(crate) fn add(&mut self, other: &Self) {
        add(&mut self.least, &other.least);
        add(&mut self.most, &other.most);
    }

    /// Writes a line for each sample that the profile `maxserve` exposes, but for levels: the series, the least and the
    /// most.
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        std::fs::write(path, self.samples()).with_context(|| format!("cannot write {}", path.display()))
    }

    fn samples(&self) -> String {
        let mut text = String::new();
        for ((row, by, least), (_, _, most)) in self.least.expected().into_iter().zip(self.most.expected()) {
            let Some(known) = catalogue().find(|known| known.name == row && known.origin != Origin::Needed) else {
                continue;
            };
            let (name, labels) =
                (exposed(known), by.map_or_else(String::new, |(name, value)| format!("{{{name}=\"{value}\"}}")));
            let mut line = |suffix: &str, least: f64, most: f64| {
                let _ = writeln!(text, "{name}{suffix}{labels}\t{least}\t{most}");
            };
            match (least, most) {
                (Expected::Count(least), Expected::Count(most)) => line("_total", least as f64, most as f64),
                (Expected::Times(least), Expected::Times(most)) => {
                    line("_count", least.count as f64, most.count as f64);
                    line("_sum", least.sum as f64 / 1e6, most.sum as f64 / 1e6);
                }
                (Expected::Sizes(least), Expected::Sizes(most)) => {
                    line("_count", least.count as f64, most.count as f64);
                    line("_sum", least.sum as f64, most.sum as f64);
                }
                _ => {}
            }
        }
        text
    }
}

/// The name of a row in the text format, without what its samples have behind it.
fn exposed(row: &Instrument) -> String {
    let (base, unit) = (format!("maxserve_{}", row.name.replace('.', "_")), row.unit.suffix());
    if unit.is_empty() || base.ends_with(&format!("_{unit}")) { base } else { format!("{base}_{unit}") }
}

fn add(sum: &mut Ledger, other: &Ledger) {
    let mut other = other.clone();
    for (sum, other) in sum.numbers().into_iter().zip(other.numbers()) {
        *sum += *other;
    }
}

/// All numbers of a ledger, on one line.
pub(crate) fn line(ledger: &Ledger) -> String {
    let numbers: Vec<String> = ledger.clone().numbers().into_iter().map(|number| number.to_string()).collect();
    numbers.join(" ")
}

/// The ledger of a [`line`].
pub(crate) fn parse(line: &str) -> Result<Ledger> {
    let mut ledger = Ledger::default();
    let mut numbers = ledger.numbers();
    let given = line.split_ascii_whitespace().map(str::parse).collect::<Result<Vec<u64>, _>>()?;
    ensure!(given.len() == numbers.len(), "an account of {} numbers instead of {}", given.len(), numbers.len());
    for (number, given) in numbers.iter_mut().zip(given) {
        **number = given;
    }
    Ok(ledger)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(from: u64) -> Ledger {
        let mut ledger = Ledger::default();
        for (number, value) in ledger.numbers().into_iter().zip(from..) {
            *number = value;
        }
        ledger
    }

    #[test]
    fn an_account_comes_back_from_its_line_and_adds_up() {
        let there = line(&counted(7));
        assert_eq!(line(&parse(&there).unwrap()), there);
        assert!(parse("1 2 3").unwrap_err().to_string().contains("3 numbers"));
        assert!(parse(&there.replace("7 ", "x ")).is_err());

        let mut sum = Account::exact(counted(1));
        sum.add(&Account { least: counted(10), most: counted(20) });
        assert_eq!((sum.least.generated, sum.most.generated), (11, 21));
        // Every number is another one: none is left out, or taken twice.
        let sums: Vec<u64> = sum.most.numbers().into_iter().map(|number| *number).collect();
        assert!(sums.windows(2).all(|pair| pair[1] == pair[0] + 2), "{sums:?}");
    }

    #[test]
    fn the_newest_step_is_recorded_or_not() {
        let mut account = Account::default();
        for tokens in [3, 5] {
            account.advance(Ledger { generated: tokens, kv_tokens: 9, ..Ledger::default() });
        }
        account.end();
        let Account { least, most } = &account;
        assert_eq!((least.generated, least.kv_tokens, most.generated, most.kv_tokens), (3, 0, 5, 0));
        let samples = account.samples();
        for line in ["maxserve_num_output_tokens_total\t3\t5", "maxserve_batch_size_sum{batch_type=\"CE\"}\t0\t0"] {
            assert!(samples.lines().any(|there| there == line), "{line} is not in\n{samples}");
        }
        assert!(samples.contains("\nmaxserve_itl_milliseconds_count\t0\t0\n"), "{samples}");
    }
}
