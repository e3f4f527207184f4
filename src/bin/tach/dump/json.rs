//! Writing JSON.

/// A text being written as JSON. Commas are put where they belong; that brackets match is the caller's.
#[derive(Debug, Default)]
pub(super) struct Json(String);

impl Json {
    /// Something in brackets, `{}` or `[]`.
    pub(super) fn within(&mut self, brackets: [char; 2], fill: impl FnOnce(&mut Self)) {
        self.separate();
        self.0.push(brackets[0]);
        fill(self);
        self.0.push(brackets[1]);
    }

    pub(super) fn object(&mut self, fill: impl FnOnce(&mut Self)) {
        self.within(['{', '}'], fill);
    }

    pub(super) fn list<T>(&mut self, items: impl IntoIterator<Item = T>, mut each: impl FnMut(&mut Self, T)) {
        self.within(['[', ']'], |json| items.into_iter().for_each(|item| each(json, item)));
    }

    /// The name of what comes next.
    pub(super) fn name(&mut self, name: &str) -> &mut Self {
        self.text(name);
        self.0.push(':');
        self
    }

    pub(super) fn text(&mut self, text: &str) {
        self.separate();
        self.0.push('"');
        for c in text.chars() {
            match c {
                '"' | '\\' => self.0.extend(['\\', c]),
                c if c < ' ' => self.0 += &format!("\\u{:04x}", u32::from(c)),
                c => self.0.push(c),
            }
        }
        self.0.push('"');
    }

    pub(super) fn integer(&mut self, value: impl Into<i128>) {
        self.separate();
        self.0 += &value.into().to_string();
    }

    /// What is no finite number becomes a text, as Prometheus' interface has it.
    pub(super) fn float(&mut self, value: f64) {
        if value.is_finite() {
            self.separate();
            self.0 += &value.to_string();
        } else if value.is_nan() {
            self.text("NaN");
        } else {
            self.text(if value > 0.0 { "+Inf" } else { "-Inf" });
        }
    }

    pub(super) fn end(mut self) -> String {
        self.0.push('\n');
        self.0
    }

    fn separate(&mut self) {
        if !matches!(self.0.chars().next_back(), None | Some('{' | '[' | ':')) {
            self.0.push(',');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let mut json = Json::default();
        json.object(|json| {
            json.name("a:\"\\\n\u{1}{").text("ends in [");
            json.name("list").list([1_u64, u64::MAX], |json, n| json.integer(n));
            json.name("floats").list([0.1, -1e300, f64::NAN, f64::NEG_INFINITY], |json, x| json.float(x));
            json.name("empty").object(|_| {});
        });
        let text = json.end();
        let read: serde_json::Value = serde_json::from_str(&text).unwrap();
        let expected = serde_json::json!({
            "a:\"\\\n\u{1}{": "ends in [",
            "list": [1, u64::MAX],
            "floats": [0.1, -1e300, "NaN", "-Inf"],
            "empty": {},
        });
        assert_eq!(read, expected, "{text}");
    }
}
