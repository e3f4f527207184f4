//! The series of a summary on a page of Prometheus text, by the rules of [`exposition`](crate::exposition).

use crate::exposition::{Family, Labels, Sample};
use crate::number;
use std::collections::BTreeSet;

/// One series of a summary.
#[derive(Clone, Debug)]
pub struct Summary {
    /// The labels, without `quantile`.
    pub labels: Labels,
    /// Each share with its quantile, ascending; the quantiles of no values are NaN.
    pub quantiles: Vec<(f64, f64)>,
    /// The sum as it is spelt.
    pub sum: String,
    /// The count.
    pub count: u64,
}

/// The series of a summary.
///
/// # Errors
///
/// The rule that they break.
pub fn summaries(family: &Family) -> Result<Vec<Summary>, String> {
    let mut all: Vec<Summary> = Vec::new();
    let mut seen = BTreeSet::new();
    let mut rest = &*family.samples;
    while !rest.is_empty() {
        let summary = series(&family.name, &mut rest)?;
        if !seen.insert(summary.labels.clone()) {
            return Err("a series in two pieces".to_owned());
        }
        all.push(summary);
    }
    Ok(all)
}

/// Takes a series off the front.
fn series(name: &str, rest: &mut &[Sample]) -> Result<Summary, String> {
    let len = rest.iter().take_while(|sample| sample.name == name).count();
    let (samples, others) = rest.split_at(len);
    let [sum, count, others @ ..] = others else { return Err("no sum or no count".to_owned()) };
    *rest = others;
    let labels = sum.labels.clone();
    let is_reserved = ["le", "quantile"].iter().any(|reserved| labels.contains_key(*reserved));
    let suffixes = [sum, count].map(|sample| sample.name.strip_prefix(name));
    if suffixes != [Some("_sum"), Some("_count")] || count.labels != labels || is_reserved {
        return Err("quantiles are not followed by the sum and the count of their series".to_owned());
    }
    let mut quantiles: Vec<(f64, f64)> = Vec::new();
    for sample in samples {
        let mut others = sample.labels.clone();
        let share = others.remove("quantile").ok_or("a quantile of no share")?;
        let (share, value) = (number::read_bound(&share)?, number::read(&sample.value)?);
        let follows = quantiles
            .last()
            .is_none_or(|&(last, below)| last < share && (below <= value || below.is_nan() && value.is_nan()));
        if others != labels || !(0.0..=1.0).contains(&share) || !follows {
            return Err(format!("the quantile {share} is {value}, of another series or in disorder"));
        }
        quantiles.push((share, value));
    }
    let whole = count.value.parse().map_err(|_| format!("the count is {}, no whole number", count.value))?;
    if number::read(&sum.value)?.is_nan() {
        return Err("the sum is no number".to_owned());
    }
    Ok(Summary { labels, quantiles, sum: sum.value.clone(), count: whole })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exposition::parse;
    use crate::names::Names;

    const GOOD: &str = concat!(
        "# TYPE a summary\n",
        "a{x=\"1\",quantile=\"0.5\"} 1\n",
        "a{x=\"1\",quantile=\"1.0\"} 2.5\n",
        "a_sum{x=\"1\"} 7.5\n",
        "a_count{x=\"1\"} 3\n",
        "a{x=\"2\",quantile=\"0.5\"} NaN\n",
        "a{x=\"2\",quantile=\"1.0\"} NaN\n",
        "a_sum{x=\"2\"} 0\n",
        "a_count{x=\"2\"} 0\n",
        "a_sum 0\n",
        "a_count 0\n",
    );

    #[test]
    fn what_is_right_is_read() {
        let all = summaries(&parse(GOOD, Names::PLAIN).unwrap()[0]).unwrap();
        assert_eq!((all.len(), all[0].count, &*all[0].sum, &*all[0].labels["x"]), (3, 3, "7.5", "1"));
        assert_eq!((&*all[0].quantiles, all[2].quantiles.len()), (&[(0.5, 1.0), (1.0, 2.5)][..], 0));
    }

    #[test]
    fn each_rule_refuses_what_breaks_it() {
        for (from, to) in [
            ("\"1.0\"", "\"0.5\""),
            ("\"1.0\"", "\"1\""),
            ("\"1.0\"", "\"1.5\""),
            ("2.5", "0.5"),
            ("2.5", "NaN"),
            ("x=\"1\",quantile=\"1.0\"", "x=\"3\",quantile=\"1.0\""),
            (",quantile=\"1.0\"", ""),
            ("a_sum{x=\"1\"} 7.5\n", ""),
            ("a_sum{x=\"1\"} 7.5", "a_sum{x=\"1\"} NaN"),
            ("a_count{x=\"1\"} 3", "a_count{x=\"2\"} 3"),
            ("a_count{x=\"1\"} 3", "a_count{x=\"1\"} 3.5"),
            ("a_sum 0\na_count 0\n", "a_sum{x=\"1\"} 0\na_count{x=\"1\"} 0\n"),
            ("a_count 0\n", ""),
            ("a_count 0\n", "a_count 0\n# TYPE a_count gauge\na_count 1\n"),
        ] {
            assert!(GOOD.contains(from), "{from:?}");
            let text = GOOD.replacen(from, to, 1);
            assert!(parse(&text, Names::PLAIN).is_err(), "{from:?} -> {to:?}");
        }
    }
}
