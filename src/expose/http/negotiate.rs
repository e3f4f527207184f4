//! Which format a client gets: the value of `Accept`, as Prometheus sends it.
//!
//! The clause with the highest `q` of those that name a format here wins, the first of equals. Nobody is refused: who
//! asks for nothing that there is gets the text format 0.0.4, as do `*/*` and browsers. A version that is not there is
//! no match; where none is given it is the oldest.
//!
//! `escaping` says how a format of version 1.0.0 writes names that are not `[a-zA-Z_:][a-zA-Z0-9_:]*`. There are none
//! here, so `underscores`, `values` and `allow-utf-8` all give the same bytes, and the answer repeats what was asked
//! for. `dots` would write `_` as `__` in every name; it is answered with `underscores`, which is also what a missing
//! or unknown one means.

use super::encoding::weight;
use crate::collect::Snapshot;
use crate::expose::openmetrics::{self, Options};
use crate::expose::{protobuf, text};

/// What a page is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Body {
    Text,
    OpenMetrics(Options),
    Protobuf,
}

impl Body {
    /// Prints `snapshot` into an empty `buffer`.
    pub(super) fn render(self, snapshot: &Snapshot, mut buffer: Vec<u8>) -> Vec<u8> {
        if self == Self::Protobuf {
            protobuf::render_into(snapshot, &mut buffer);
            return buffer;
        }
        // Nothing is text.
        let mut text = String::from_utf8(buffer).unwrap_or_default();
        match self {
            Self::OpenMetrics(options) => openmetrics::append(snapshot, options, &mut text),
            _ => text::render_into(snapshot, &mut text),
        }
        text.into_bytes()
    }

    /// Prints `snapshot` behind another one, which `page` is.
    pub(super) fn append(self, snapshot: &Snapshot, mut page: Vec<u8>) -> Vec<u8> {
        // What ends a page stands there once, and last.
        if matches!(self, Self::OpenMetrics(_)) && page.ends_with(openmetrics::END.as_bytes()) {
            page.truncate(page.len() - openmetrics::END.len());
        }
        page.extend(self.render(snapshot, Vec::new()));
        page
    }
}

/// What a scrape is answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format {
    pub(super) body: Body,
    content_type: &'static str,
}

impl Format {
    /// The answer's `Content-Type`.
    #[must_use]
    pub fn content_type(&self) -> &'static str {
        self.content_type
    }
}

/// For everybody who asks for nothing that is known.
const TEXT: Format = Format { body: Body::Text, content_type: text::CONTENT_TYPE };

/// A format whose `Content-Type` says how names are escaped.
struct Escaped {
    body: Body,
    underscores: &'static str,
    values: &'static str,
    allow_utf_8: &'static str,
}

/// Version 1.0.0 of the text format: 0.0.4, and names in quotes, which there are none of.
const TEXT_1: Escaped = Escaped {
    body: Body::Text,
    underscores: "text/plain; version=1.0.0; charset=utf-8; escaping=underscores",
    values: "text/plain; version=1.0.0; charset=utf-8; escaping=values",
    allow_utf_8: "text/plain; version=1.0.0; charset=utf-8; escaping=allow-utf-8",
};

const OPENMETRICS: Escaped = Escaped {
    body: Body::OpenMetrics(Options::new()),
    underscores: "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores",
    values: "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=values",
    allow_utf_8: "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=allow-utf-8",
};

const PROTOBUF: Escaped = Escaped {
    body: Body::Protobuf,
    underscores: "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited; \
                  escaping=underscores",
    values: "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited; \
             escaping=values",
    allow_utf_8: "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited; \
                  escaping=allow-utf-8",
};

impl Escaped {
    fn format(&self, escaping: Option<&str>) -> Format {
        let content_type = match escaping {
            Some("values") => self.values,
            Some("allow-utf-8") => self.allow_utf_8,
            _ => self.underscores,
        };
        Format { body: self.body, content_type }
    }
}

/// The format for a client that sends `accept`; empty: none. `options`: of OpenMetrics.
#[must_use]
pub fn negotiate(accept: &str, options: Options) -> Format {
    let mut best = (0, TEXT);
    for clause in accept.split(',') {
        let mut parts = clause.split(';').map(str::trim);
        let media_type = parts.next().unwrap_or_default();
        let Some(weight) = weight(parts.clone()).filter(|weight| *weight > best.0) else { continue };
        if let Some(format) = named(media_type, parts) {
            best = (weight, format);
        }
    }
    let format = best.1;
    match format.body {
        Body::OpenMetrics(_) => Format { body: Body::OpenMetrics(options), ..format },
        _ => format,
    }
}

/// The format that a clause names.
fn named<'a>(media_type: &str, parameters: impl Iterator<Item = &'a str> + Clone) -> Option<Format> {
    let parameter = |wanted: &str| {
        parameters.clone().find_map(|parameter| {
            let (name, value) = parameter.split_once('=')?;
            name.trim_end().eq_ignore_ascii_case(wanted).then(|| value.trim_start().trim_matches('"'))
        })
    };
    let (version, escaping) = (parameter("version"), parameter("escaping"));
    let is = |name: &str| media_type.eq_ignore_ascii_case(name);
    if is("text/plain") {
        match version {
            None | Some("0.0.4") => Some(TEXT),
            Some("1.0.0") => Some(TEXT_1.format(escaping)),
            _ => None,
        }
    } else if is("application/openmetrics-text") {
        version.is_none_or(|version| version == "1.0.0").then(|| OPENMETRICS.format(escaping))
    } else if is("application/vnd.google.protobuf") {
        // Other messages and other framings have this media type too.
        let ours = parameter("proto") == Some("io.prometheus.client.MetricFamily");
        (ours && parameter("encoding") == Some("delimited")).then(|| PROTOBUF.format(escaping))
    } else {
        (is("*/*") || is("text/*")).then_some(TEXT)
    }
}

#[cfg(test)]
mod tests {
    use crate::expose::openmetrics::Options;

    fn negotiate(accept: &str) -> super::Format {
        super::negotiate(accept, Options::new())
    }

    const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";
    const TEXT_1: &str = "text/plain; version=1.0.0; charset=utf-8; escaping=";
    const OM: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=";

    const PROTOBUF: &str =
        "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited; escaping=";

    #[track_caller]
    fn check(cases: &[(&str, &str, &str)]) {
        for (accept, media_type, escaping) in cases {
            assert_eq!(negotiate(accept).content_type(), format!("{media_type}{escaping}"), "{accept}");
        }
    }

    #[test]
    fn scrapers_get_what_they_prefer() {
        check(&[
            // Prometheus 2.42 and older.
            (
                "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
                 text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                OM,
                "underscores",
            ),
            // 2.53.
            (
                "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,\
                 text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
                OM,
                "underscores",
            ),
            // 3.
            (
                "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
                 application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,\
                 text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
                OM,
                "allow-utf-8",
            ),
            // 3 with scrape_protocols: [PrometheusText1.0.0], and [PrometheusText0.0.4].
            ("text/plain;version=1.0.0;escaping=allow-utf-8;q=0.6,*/*;q=0.5", TEXT_1, "allow-utf-8"),
            ("text/plain;version=0.0.4;q=0.6,*/*;q=0.5", TEXT, ""),
            // With native histograms: 2.42, 2.53, 3.
            (
                "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited,\
                 application/openmetrics-text;version=1.0.0;q=0.8,application/openmetrics-text;version=0.0.1;q=0.75,\
                 text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                PROTOBUF,
                "underscores",
            ),
            (
                "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.5,\
                 application/openmetrics-text;version=1.0.0;q=0.4,application/openmetrics-text;version=0.0.1;q=0.3,\
                 text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
                PROTOBUF,
                "underscores",
            ),
            (
                "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,\
                 application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
                 application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,\
                 text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
                PROTOBUF,
                "underscores",
            ),
            // Before 2.5, and up to 2.22, whose OpenMetrics was a draft.
            ("text/plain;version=0.0.4;q=1,*/*;q=0.1", TEXT, ""),
            ("application/openmetrics-text; version=0.0.1,text/plain;version=0.0.4;q=0.5,*/*;q=0.1", TEXT, ""),
            // OpenTelemetry's collector, VictoriaMetrics, Datadog's agent.
            ("text/plain;version=0.0.4;q=0.5,*/*;q=0.1", TEXT, ""),
            (
                "application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                OM,
                "underscores",
            ),
        ]);
    }

    #[test]
    fn everybody_else_gets_text() {
        check(&[
            ("", TEXT, ""),
            // curl.
            ("*/*", TEXT, ""),
            // Firefox, Chrome.
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", TEXT, ""),
            (
                "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,\
                 application/signed-exchange;v=b3;q=0.7",
                TEXT,
                "",
            ),
            ("application/json", TEXT, ""),
            ("text/plain;q=0", TEXT, ""),
            ("text/plain;version=0.0.5", TEXT, ""),
            ("application/openmetrics-text;version=2.0.0", TEXT, ""),
            ("application/openmetrics-text;version=0.0.1", TEXT, ""),
            ("text/*, application/json", TEXT, ""),
            ("application/vnd.google.protobuf", TEXT, ""),
            ("application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=text", TEXT, ""),
            ("application/vnd.google.protobuf;proto=io.prometheus.write.v2.Request;encoding=delimited", TEXT, ""),
        ]);
    }

    #[test]
    fn clauses_are_weighed_and_junk_is_passed_over() {
        check(&[
            ("application/openmetrics-text", OM, "underscores"),
            ("APPLICATION/OpenMetrics-Text ; Version = \"1.0.0\" ; Q = 0.5 , */*;q=0.4", OM, "underscores"),
            ("text/plain;q=0.5,application/openmetrics-text;q=0.5", TEXT, ""),
            ("application/openmetrics-text;q=0.5,text/plain;q=0.5", OM, "underscores"),
            ("application/openmetrics-text;q=0.4,text/plain;q=0.5", TEXT, ""),
            ("application/openmetrics-text;q=0,text/plain;q=0.001", TEXT, ""),
            ("application/openmetrics-text;q=0", TEXT, ""),
            // A weight that cannot be read asks for nothing.
            ("application/openmetrics-text;q=high", TEXT, ""),
            ("application/openmetrics-text;q=2,*/*;q=0.1", TEXT, ""),
            // An example of the documentation, with what slipped into it.
            (
                "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,/;q=0.1",
                OM,
                "underscores",
            ),
            (",,;;q=1,;=,text/plain;version=1.0.0;;,", TEXT_1, "underscores"),
        ]);
    }

    #[test]
    fn escaping_is_that_of_its_own_clause() {
        check(&[
            ("text/plain;version=1.0.0;escaping=allow-utf-8", TEXT_1, "allow-utf-8"),
            ("text/plain;version=1.0.0;escaping=underscores", TEXT_1, "underscores"),
            ("text/plain;version=1.0.0;escaping=values", TEXT_1, "values"),
            ("text/plain;version=1.0.0;escaping=dots", TEXT_1, "underscores"),
            ("text/plain;version=1.0.0;escaping=unheard-of", TEXT_1, "underscores"),
            ("application/openmetrics-text;version=1.0.0;escaping=values", OM, "values"),
            // Formats before 1.0.0 do not have it.
            ("text/plain;version=0.0.4;escaping=allow-utf-8", TEXT, ""),
            ("application/json;escaping=values,application/openmetrics-text;q=0.5", OM, "underscores"),
        ]);
    }
}
