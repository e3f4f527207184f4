//! The account as text: a line for each series, with its name, its labels and its number, or its values in order.

use crate::account::{Account, Entry, Labels};
use std::fmt::Write;

/// What is written.
const NAMES: [&str; 5] = ["itl", "num_output_tokens", "requests_finished", "requests_good", "time_to_first_token"];

/// Times in nanoseconds.
pub(super) fn account(account: Account) -> String {
    let mut text = String::new();
    for (name, labels, entry) in account.into_sorted() {
        if !NAMES.contains(&name) {
            continue;
        }
        let mut numbers = match entry {
            Entry::Count(n) => vec![n],
            Entry::Values(values) => values,
            Entry::Level(_) | Entry::Last(_) => continue,
        };
        numbers.sort_unstable();
        text.push_str(name);
        text.push_str(&braced(&labels));
        for n in numbers {
            // Writing to a string does not fail.
            let _ = write!(text, " {n}");
        }
        text.push('\n');
    }
    text
}

fn braced(labels: &Labels) -> String {
    let labels: Vec<_> = labels.iter().filter(|(name, _)| !name.is_empty()).collect();
    let pairs: Vec<_> = labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
    if pairs.is_empty() { String::new() } else { format!("{{{}}}", pairs.join(",")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::{BARE, Book, by};

    #[test]
    fn a_series_is_a_line() {
        let mut book = Account::default();
        book.value("itl", BARE, 30);
        book.value("itl", BARE, 4);
        book.count("requests_finished", by("finished_reason", "stop"), 2);
        book.count("requests_good", BARE, 0);
        book.value("batch_size", BARE, 1);
        assert_eq!(account(book), "itl 4 30\nrequests_finished{finished_reason=stop} 2\nrequests_good 0\n");
    }
}
