//! Which format a client gets: the value of `Accept`, as Prometheus sends it.
//!
//! The clause with the highest `q` of those that name a format here wins, the first of equals. Nobody is refused: who
//! asks for nothing that there is gets the text format 0.0.4, as do `*/*` and browsers, unless they name that with
//! `q=0`: then `*/*` is OpenMetrics, or protobuf. A version that is not there is no match; where none is given it is the
//! oldest.
//!
//! `escaping` says how a format of version 1.0.0 writes names that are not `[a-zA-Z_:][a-zA-Z0-9_:]*`; by underscores
//! where that is missing or unknown.

use super::encoding::weight;
use crate::collect::Snapshot;
use crate::describe::{Escaping, HistogramBuckets};
use crate::expose::families::Families;
use crate::expose::openmetrics::{self, Options};
use crate::expose::{openmetrics_2, protobuf, text};

/// What a page is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Body {
    Text(Escaping),
    OpenMetrics(Options),
    OpenMetrics2(Escaping, HistogramBuckets),
    Protobuf(Escaping, HistogramBuckets),
}

impl Body {
    /// One that gives the same page where all names are such as need no escaping: those of this escaping share it.
    pub(super) fn of_plain_names(self) -> Self {
        match self {
            Self::Text(escaping) => Self::Text(plain(escaping)),
            Self::OpenMetrics(options) => Self::OpenMetrics(options.escaping(plain(options.in_escaping()))),
            Self::OpenMetrics2(escaping, buckets) => Self::OpenMetrics2(plain(escaping), buckets),
            Self::Protobuf(escaping, buckets) => Self::Protobuf(plain(escaping), buckets),
        }
    }

    /// Prints `families` into an empty `buffer`.
    pub(super) fn render(self, families: &Families<'_>, mut buffer: Vec<u8>) -> Vec<u8> {
        match self {
            Self::Text(escaping) => text::append(families, escaping, &mut buffer),
            Self::OpenMetrics(options) => openmetrics::append(families, options, &mut buffer),
            Self::OpenMetrics2(escaping, buckets) => openmetrics_2::append(families, escaping, buckets, &mut buffer),
            Self::Protobuf(escaping, buckets) => protobuf::append(families, escaping, buckets, &mut buffer),
        }
        buffer
    }
}

/// By dots names change that every format could have; by the others they do not.
fn plain(escaping: Escaping) -> Escaping {
    if escaping == Escaping::Dots { escaping } else { Escaping::Underscores }
}

/// Which formats there are to be had besides those that everybody has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offer {
    openmetrics: Options,
    openmetrics_2: bool,
    buckets: HistogramBuckets,
}

impl Offer {
    /// None, and OpenMetrics without `_created`.
    #[must_use]
    pub const fn new() -> Self {
        Self { openmetrics: Options::new(), openmetrics_2: false, buckets: HistogramBuckets::Both }
    }

    /// Whether OpenMetrics 1.0.0 has `_created`.
    #[must_use]
    pub const fn created(self, created: bool) -> Self {
        Self { openmetrics: self.openmetrics.created(created), ..self }
    }

    /// Whether there is OpenMetrics 2.0.0.
    #[must_use]
    pub const fn openmetrics_2(self, openmetrics_2: bool) -> Self {
        Self { openmetrics_2, ..self }
    }

    /// Which buckets histograms have.
    #[must_use]
    pub const fn histogram_buckets(self, buckets: HistogramBuckets) -> Self {
        Self { buckets, ..self }
    }
}

/// What a scrape is answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format {
    pub(super) body: Body,
    media_type: &'static str,
    /// As the media type tells it, from version 1.0.0 on.
    escaping: Option<Escaping>,
}

impl Format {
    /// The answer's `Content-Type`.
    #[must_use]
    pub fn content_type(&self) -> String {
        let escaping = self.escaping.map(|escaping| format!("; escaping={}", name(escaping)));
        format!("{}{}", self.media_type, escaping.unwrap_or_default())
    }

    /// The answer's body where nothing was asked for by name, for fuzzing.
    #[must_use]
    pub fn render(&self, snapshot: &Snapshot) -> Vec<u8> {
        self.body.render(&Families::of(snapshot), Vec::new())
    }
}

/// For everybody who asks for nothing that is known.
const TEXT: Format = Format { body: Body::Text(Escaping::Underscores), media_type: text::CONTENT_TYPE, escaping: None };

/// Version 1.0.0 of the text format: 0.0.4, and names in quotes.
const TEXT_1: &str = "text/plain; version=1.0.0; charset=utf-8";

/// What scrapers call it.
fn name(escaping: Escaping) -> &'static str {
    match escaping {
        Escaping::Underscores => "underscores",
        Escaping::Dots => "dots",
        Escaping::Values => "values",
        Escaping::AllowUtf8 => "allow-utf-8",
    }
}

/// The format for a client that sends `accept`; empty: none.
#[must_use]
pub fn negotiate(accept: &str, offer: Offer) -> Format {
    let clauses = || {
        accept.split(',').filter_map(|clause| {
            let mut parts = clause.split(';').map(str::trim);
            let media_type = parts.next().unwrap_or_default();
            Some((media_type, weight(parts.clone())?, parts))
        })
    };
    // What is named with a weight of zero is not to be had by a wider clause either.
    let mut out = Vec::new();
    for (media_type, _, parts) in clauses().filter(|(_, weight, _)| *weight == 0) {
        let format =
            if media_type.eq_ignore_ascii_case("text/*") { Some(TEXT) } else { named(media_type, parts, offer) };
        if let Some(format) = format.filter(|format| !out.contains(&format.media_type)) {
            out.push(format.media_type);
        }
    }
    let mut best = (0, TEXT);
    for (media_type, weight, parts) in clauses() {
        if weight <= best.0 {
            continue;
        }
        let format = named(media_type, parts, offer)
            .or_else(|| among(media_type, offer).into_iter().find(|format| !out.contains(&format.media_type)));
        if let Some(format) = format {
            best = (weight, format);
        }
    }
    best.1
}

/// The formats that a clause with a `*` lets choose from, the first of them first.
fn among(media_type: &str, offer: Offer) -> Vec<Format> {
    let default = |media_type, parameters: &[&'static str]| named(media_type, parameters.iter().copied(), offer);
    let protobuf = ["proto=io.prometheus.client.MetricFamily", "encoding=delimited"];
    match media_type {
        "*/*" => {
            let others =
                [default("application/openmetrics-text", &[]), default("application/vnd.google.protobuf", &protobuf)];
            std::iter::once(TEXT).chain(others.into_iter().flatten()).collect()
        }
        range if range.eq_ignore_ascii_case("text/*") => vec![TEXT],
        _ => Vec::new(),
    }
}

/// The format that a clause names without a `*`.
fn named<'a>(media_type: &str, parameters: impl Iterator<Item = &'a str> + Clone, offer: Offer) -> Option<Format> {
    let parameter = |wanted: &str| {
        parameters.clone().find_map(|parameter| {
            let (name, value) = parameter.split_once('=')?;
            name.trim_end().eq_ignore_ascii_case(wanted).then(|| value.trim_start().trim_matches('"'))
        })
    };
    let (version, escaping) = (parameter("version"), parameter("escaping"));
    // What is missing or unknown is by underscores.
    let found = Escaping::ALL.into_iter().find(|known| escaping == Some(name(*known)));
    let escaping = found.unwrap_or_default();
    let format = |body, media_type| Some(Format { body, media_type, escaping: Some(escaping) });
    let is = |name: &str| media_type.eq_ignore_ascii_case(name);
    if is("text/plain") {
        match version {
            None | Some("0.0.4") => Some(TEXT),
            Some("1.0.0") => format(Body::Text(escaping), TEXT_1),
            _ => None,
        }
    } else if is("application/openmetrics-text") {
        match version {
            // Who names no version is to have the oldest.
            None | Some("1.0.0") => {
                format(Body::OpenMetrics(offer.openmetrics.escaping(escaping)), openmetrics::CONTENT_TYPE)
            }
            Some("2.0.0") if offer.openmetrics_2 => {
                format(Body::OpenMetrics2(escaping, offer.buckets), openmetrics_2::CONTENT_TYPE)
            }
            _ => None,
        }
    } else if is("application/vnd.google.protobuf") {
        // Other messages and other framings have this media type too.
        let ours = parameter("proto") == Some("io.prometheus.client.MetricFamily");
        let ours = ours && parameter("encoding") == Some("delimited");
        ours.then(|| format(Body::Protobuf(escaping, offer.buckets), protobuf::CONTENT_TYPE))?
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::Offer;

    fn negotiate(accept: &str) -> super::Format {
        super::negotiate(accept, Offer::new())
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
    fn openmetrics_2_is_for_who_names_it_where_it_is_told() {
        const OM_2: &str = "application/openmetrics-text; version=2.0.0; charset=utf-8; escaping=";
        // What Prometheus would send that has 2.0.0 before its default protocols.
        let prometheus = "application/openmetrics-text;version=2.0.0;escaping=allow-utf-8;q=0.6,\
                          application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
                          text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        for (accept, told, otherwise) in [
            (prometheus, [OM_2, "allow-utf-8"], [OM, "allow-utf-8"]),
            ("application/openmetrics-text;version=2.0.0", [OM_2, "underscores"], [TEXT, ""]),
            ("application/openmetrics-text; version=\"2.0.0\";escaping=dots,*/*;q=0.1", [OM_2, "dots"], [TEXT, ""]),
            ("application/openmetrics-text;version=2.0.0;q=0.4,text/plain;q=0.5", [TEXT, ""], [TEXT, ""]),
            ("application/openmetrics-text;version=2.0.0;q=0,text/plain;q=0.5", [TEXT, ""], [TEXT, ""]),
            // Nor do those get it who do not ask for it, or for something else.
            ("application/openmetrics-text", [OM, "underscores"], [OM, "underscores"]),
            ("application/openmetrics-text;version=1.0.0", [OM, "underscores"], [OM, "underscores"]),
            ("application/openmetrics-text;version=2.0.0-rc0", [TEXT, ""], [TEXT, ""]),
            ("application/openmetrics-text;version=2", [TEXT, ""], [TEXT, ""]),
            ("text/plain;version=2.0.0", [TEXT, ""], [TEXT, ""]),
            ("*/*", [TEXT, ""], [TEXT, ""]),
            ("", [TEXT, ""], [TEXT, ""]),
        ] {
            let found = super::negotiate(accept, Offer::new().openmetrics_2(true));
            assert_eq!(found.content_type(), told.concat(), "{accept}");
            assert_eq!(negotiate(accept).content_type(), otherwise.concat(), "{accept}");
        }
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
    fn what_has_no_weight_is_not_given_by_a_wider_clause() {
        check(&[
            ("text/plain;q=0,*/*;q=0.5", OM, "underscores"),
            ("*/*;q=0.5, text/plain;q=0.0", OM, "underscores"),
            ("text/*;q=0,*/*", OM, "underscores"),
            ("text/plain;q=0,application/openmetrics-text;q=0,*/*;q=0.1", PROTOBUF, "underscores"),
            ("application/openmetrics-text;q=0,*/*", TEXT, ""),
            // Another version is another format.
            ("text/plain;version=1.0.0;q=0,*/*;q=0.5", TEXT, ""),
            ("text/plain;q=0,text/plain;version=1.0.0;escaping=dots", TEXT_1, "dots"),
            // A wider clause takes nothing from a narrower one.
            ("*/*;q=0,application/openmetrics-text;q=0.1", OM, "underscores"),
            ("text/*;q=0,text/plain;q=0.1", TEXT, ""),
            // The highest weight counts, however wide its clause is.
            ("*/*, application/openmetrics-text;q=0.9", TEXT, ""),
            ("*/*;q=0.8, application/openmetrics-text;q=0.9", OM, "underscores"),
            // Nobody is refused.
            ("*/*;q=0", TEXT, ""),
            ("text/plain;q=0,text/*", TEXT, ""),
            ("text/plain;q=0,application/openmetrics-text;q=0", TEXT, ""),
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
            ("text/plain;version=1.0.0;escaping=dots", TEXT_1, "dots"),
            ("text/plain;version=1.0.0;escaping=unheard-of", TEXT_1, "underscores"),
            ("application/openmetrics-text;version=1.0.0;escaping=values", OM, "values"),
            // Formats before 1.0.0 do not have it.
            ("text/plain;version=0.0.4;escaping=allow-utf-8", TEXT, ""),
            ("application/json;escaping=values,application/openmetrics-text;q=0.5", OM, "underscores"),
        ]);
    }
}
