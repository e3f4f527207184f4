//! What the exposition must hold, and the JSON that says so.

use std::fmt::Write as _;

/// What one sample must be. The value is spelt as Rust's `{:?}` spells it: a reader turns both into floats.
struct Sample {
    name: String,
    labels: Vec<(String, String)>,
    value: String,
}

/// What one metric must be.
pub(crate) struct Expected {
    name: String,
    kind: &'static str,
    pub(crate) help: &'static str,
    samples: Vec<Sample>,
}

pub(crate) const CONSTANTS: [(&str, &str); 2] = [("model", "smol \"LM\" \\2\n"), ("zone", "ä")];

impl Expected {
    pub(crate) fn new(name: &str, kind: &'static str, help: &'static str) -> Self {
        Self { name: name.to_owned(), kind, help, samples: Vec::new() }
    }

    /// A sample with these labels and those that every series has. An empty value is the same as no label.
    pub(crate) fn sample(&mut self, suffix: &str, labels: &[(&str, &str)], value: impl std::fmt::Debug) {
        let labels = CONSTANTS.iter().chain(labels).filter(|(_, value)| !value.is_empty());
        let labels = labels.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.samples.push(Sample { name: format!("{}{suffix}", self.name), labels, value: format!("{value:?}") });
    }

    /// The samples of a histogram that was given `values` ticks; each bound as it is printed, and in ticks.
    pub(crate) fn series(
        &mut self,
        labels: &[(&str, &str)],
        bounds: &[(String, u64)],
        values: &[u64],
        ticks_per_unit: f64,
    ) {
        for (bound, ticks) in bounds {
            let labels: Vec<_> = labels.iter().copied().chain([("le", bound.as_str())]).collect();
            self.sample("_bucket", &labels, values.iter().filter(|value| *value <= ticks).count());
        }
        let labels_of_last: Vec<_> = labels.iter().copied().chain([("le", "+Inf")]).collect();
        self.sample("_bucket", &labels_of_last, values.len());
        self.sample("_sum", labels, values.iter().sum::<u64>() as f64 / ticks_per_unit);
        self.sample("_count", labels, values.len());
    }
}

/// A bound as `le` has it, in the range of those used here.
pub(crate) fn canonical(bound: f64) -> String {
    if bound >= 1e6 || bound > 0.0 && bound < 1e-4 {
        let text = format!("{bound:e}");
        let (mantissa, exponent) = text.split_once('e').expect("{:e} prints an exponent");
        let exponent: i32 = exponent.parse().expect("a number");
        return format!("{mantissa}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs());
    }
    format!("{bound:?}")
}

pub(crate) fn push_list<'a, T: 'a>(
    json: &mut String,
    items: impl Iterator<Item = &'a T>,
    mut push: impl FnMut(&mut String, &T),
) {
    json.push('[');
    for (index, item) in items.enumerate() {
        if index > 0 {
            json.push_str(", ");
        }
        push(json, item);
    }
    json.push(']');
}

pub(crate) fn push_family(json: &mut String, family: &Expected) {
    for (key, value) in [("{\"name\": ", &*family.name), (", \"type\": ", family.kind), (", \"help\": ", family.help)] {
        json.push_str(key);
        push_string(json, value);
    }
    json.push_str(", \"samples\": ");
    push_list(json, family.samples.iter(), |json, sample| {
        json.push_str("{\"name\": ");
        push_string(json, &sample.name);
        json.push_str(", \"labels\": {");
        for (index, (name, value)) in sample.labels.iter().enumerate() {
            if index > 0 {
                json.push_str(", ");
            }
            push_string(json, name);
            json.push_str(": ");
            push_string(json, value);
        }
        json.push_str("}, \"value\": ");
        push_string(json, &sample.value);
        json.push('}');
    });
    json.push('}');
}

pub(crate) fn push_string(json: &mut String, text: &str) {
    json.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => json.extend(['\\', c]),
            c if c < ' ' => {
                // Writing to a string cannot fail.
                let _ = write!(json, "\\u{:04x}", u32::from(c));
            }
            c => json.push(c),
        }
    }
    json.push('"');
}
