//! OpenTelemetry's environment variables, as far as they are about pushing metrics.

use super::builder::{Compression, OtlpBuilder, Protocol};
use crate::describe::{Resource, pairs};
use crate::error::{Error, ErrorKind};
use crate::expose::otlp::{Histograms, Temporality};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::time::Duration;

/// How a value is taken over, given its variable's name; or what is wrong, to follow on "VARIABLE is VALUE, ".
type Read = fn(OtlpBuilder, &str, &str) -> Result<OtlpBuilder, String>;

/// The variables that are looked at, besides those of the resource: of each row the first that is set.
const VARIABLES: [(&[&str], Read); 14] = [
    (&["OTEL_SDK_DISABLED"], disabled),
    (&["OTEL_METRICS_EXPORTER"], exporter),
    (&["OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"], protocol),
    (&["OTEL_EXPORTER_OTLP_METRICS_INSECURE", "OTEL_EXPORTER_OTLP_INSECURE"], insecure),
    (&["OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", BASE], endpoint),
    (&["OTEL_EXPORTER_OTLP_METRICS_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS"], headers),
    (&["OTEL_EXPORTER_OTLP_METRICS_CERTIFICATE", "OTEL_EXPORTER_OTLP_CERTIFICATE"], certificate),
    (&["OTEL_EXPORTER_OTLP_METRICS_CLIENT_CERTIFICATE", "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE"], client_certificate),
    (&["OTEL_EXPORTER_OTLP_METRICS_CLIENT_KEY", "OTEL_EXPORTER_OTLP_CLIENT_KEY"], client_key),
    (&["OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT"], timeout),
    (&["OTEL_EXPORTER_OTLP_METRICS_COMPRESSION", "OTEL_EXPORTER_OTLP_COMPRESSION"], compression),
    (&["OTEL_METRIC_EXPORT_INTERVAL"], interval),
    (&["OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE"], temporality),
    (&["OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION"], histograms),
];

/// The endpoint of all signals, to which each appends its own path.
const BASE: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";

pub(super) fn read(vars: BTreeMap<OsString, OsString>) -> Result<OtlpBuilder, Error> {
    let mut builder = OtlpBuilder::default();
    let mut problems = Vec::new();
    let mut apply = |names: &[&str], read: Read| {
        for name in names {
            let Some(value) = vars.get(&OsString::from(*name)) else { continue };
            let Some(text) = value.to_str() else {
                // In these there may be secrets.
                let is_secret = name.ends_with("HEADERS") || name.ends_with("ENDPOINT");
                let value = if is_secret { "a value".to_owned() } else { format!("{value:?}") };
                problems.push(format!("{name} is {value}, which is not UTF-8"));
                return;
            };
            let text = text.trim();
            if text.is_empty() {
                continue;
            }
            match read(builder.clone(), name, text) {
                Ok(read) => builder = read,
                // In these there may be secrets.
                Err(problem) if name.ends_with("HEADERS") => problems.push(format!("{name} has a value {problem}")),
                Err(problem) if name.ends_with("ENDPOINT") => problems.push(format!("{name}: {problem}")),
                Err(problem) => problems.push(format!("{name} is {text:?}, {problem}")),
            }
            return;
        }
    };
    VARIABLES.into_iter().for_each(|(names, read)| apply(names, read));
    match Resource::read(&vars) {
        Ok(resource) => builder.resource = resource,
        Err(error) => problems.push(error.to_string()),
    }
    // Off is off: what is not looked at need not be right.
    if problems.is_empty() || builder.disabled {
        Ok(builder)
    } else {
        Err(Error::new(ErrorKind::Setting, problems.join("\n")))
    }
}

fn disabled(mut builder: OtlpBuilder, _: &str, text: &str) -> Result<OtlpBuilder, String> {
    // Whatever else it is counts as no, by the specification.
    builder.disabled = text.eq_ignore_ascii_case("true");
    Ok(builder)
}

/// After whether all is disabled, which it does not undo. Other names than that of none are for others: what is exported
/// is said in code.
fn exporter(mut builder: OtlpBuilder, _: &str, text: &str) -> Result<OtlpBuilder, String> {
    builder.disabled |= text.eq_ignore_ascii_case("none");
    Ok(builder)
}

fn protocol(builder: OtlpBuilder, _: &str, text: &str) -> Result<OtlpBuilder, String> {
    match &*text.to_ascii_lowercase() {
        "http/protobuf" => Ok(builder.protocol(Protocol::HttpProtobuf)),
        "grpc" if cfg!(feature = "otlp-grpc") => Ok(builder.protocol(Protocol::Grpc)),
        "grpc" => {
            Err("which this build does not speak: build it with the feature otlp-grpc; allowed: http/protobuf"
                .to_owned())
        }
        _ => Err("which is not spoken here; allowed: http/protobuf, grpc".to_owned()),
    }
}

fn insecure(builder: OtlpBuilder, _: &str, text: &str) -> Result<OtlpBuilder, String> {
    // Whatever else it is counts as no, by the specification.
    Ok(builder.insecure(text.eq_ignore_ascii_case("true")))
}

/// After the protocol and whether it is secure, which tell what an endpoint may be.
fn endpoint(mut builder: OtlpBuilder, name: &str, text: &str) -> Result<OtlpBuilder, String> {
    if name == BASE {
        builder.base = Some(text.to_owned());
    } else {
        builder.endpoint = Some(text.to_owned());
    }
    builder.place("the endpoint").map_err(|error| error.to_string())?;
    Ok(builder)
}

fn headers(mut builder: OtlpBuilder, _: &str, text: &str) -> Result<OtlpBuilder, String> {
    builder.headers = pairs(text).collect::<Result<_, _>>()?;
    Ok(builder)
}

fn certificate(builder: OtlpBuilder, _: &str, text: &str) -> Result<OtlpBuilder, String> {
    Ok(builder.certificate(text))
}

/// With the key in the same file, unless the next variable names another.
fn client_certificate(builder: OtlpBuilder, _: &str, text: &str) -> Result<OtlpBuilder, String> {
    Ok(builder.client_certificate(text, text))
}

fn client_key(mut builder: OtlpBuilder, _: &str, text: &str) -> Result<OtlpBuilder, String> {
    let (_, key) = builder.trust.own.as_mut().ok_or("but no client certificate is named that it is of")?;
    *key = text.into();
    Ok(builder)
}

fn timeout(builder: OtlpBuilder, _: &str, text: &str) -> Result<OtlpBuilder, String> {
    let allowed = "a whole number of milliseconds, 0 for no limit";
    let millis = text.parse().map_err(|_| format!("which is no time-out; allowed: {allowed}"))?;
    // By the specification.
    Ok(builder.timeout(if millis == 0 { Duration::MAX } else { Duration::from_millis(millis) }))
}

fn interval(builder: OtlpBuilder, _: &str, text: &str) -> Result<OtlpBuilder, String> {
    let time = text.parse().ok().filter(|time| *time > 0).map(Duration::from_millis);
    let allowed = "a whole number of milliseconds from 1 up";
    Ok(builder.interval(time.ok_or_else(|| format!("which is no interval; allowed: {allowed}"))?))
}

fn compression(builder: OtlpBuilder, _: &str, text: &str) -> Result<OtlpBuilder, String> {
    match &*text.to_ascii_lowercase() {
        "gzip" => Ok(builder.compression(Compression::Gzip)),
        "none" => Ok(builder.compression(Compression::None)),
        _ => Err("which is no compression; allowed: gzip, none".to_owned()),
    }
}

fn temporality(builder: OtlpBuilder, _: &str, text: &str) -> Result<OtlpBuilder, String> {
    match &*text.to_ascii_lowercase() {
        "cumulative" => Ok(builder.temporality(Temporality::Cumulative)),
        "delta" => Ok(builder.temporality(Temporality::Delta)),
        "lowmemory" => Ok(builder.temporality(Temporality::LowMemory)),
        _ => Err("which is no temporality; allowed: cumulative, delta, lowmemory".to_owned()),
    }
}

fn histograms(builder: OtlpBuilder, _: &str, text: &str) -> Result<OtlpBuilder, String> {
    match &*text.to_ascii_lowercase() {
        "base2_exponential_bucket_histogram" => Ok(builder.histograms(Histograms::Exponential)),
        "explicit_bucket_histogram" => Ok(builder.histograms(Histograms::Explicit)),
        _ => {
            let allowed = "base2_exponential_bucket_histogram, explicit_bucket_histogram";
            Err(format!("which is no aggregation; allowed: {allowed}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(vars: &[(&str, &str)]) -> OtlpBuilder {
        OtlpBuilder::from_vars(vars.iter().copied()).unwrap()
    }

    fn refuse(vars: &[(&str, &str)]) -> String {
        let error = OtlpBuilder::from_vars(vars.iter().copied()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Setting);
        error.to_string()
    }

    #[test]
    fn without_variables_the_defaults_hold() {
        let builder = read(&[("OTEL_TRACES_EXPORTER", "otlp"), ("OTEL_EXPORTER_OTLP_ENDPOINT", " ")]);
        assert_eq!(builder.url(), "http://localhost:4318/v1/metrics");
        assert_eq!((builder.interval.as_secs(), builder.timeout.as_secs(), builder.disabled), (60, 10, false));
        assert_eq!((builder.compression, builder.temporality), (Compression::None, Temporality::Cumulative));
        assert_eq!((builder.histograms, builder.headers.len()), (Histograms::Exponential, 0));
    }

    #[test]
    fn the_general_endpoint_is_a_base_and_that_of_metrics_is_taken_as_it_is() {
        let endpoint = |vars: &[(&str, &str)]| read(vars).url();
        let metrics = "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT";
        assert_eq!(endpoint(&[(BASE, "http://c:4318")]), "http://c:4318/v1/metrics");
        assert_eq!(endpoint(&[(BASE, "http://c:4318/otlp/")]), "http://c:4318/otlp/v1/metrics");
        assert_eq!(endpoint(&[(BASE, "http://c:4318/?a=b/")]), "http://c:4318/v1/metrics?a=b/");
        assert_eq!(endpoint(&[(BASE, "http://c/x?a#b")]), "http://c/x/v1/metrics?a#b");
        assert_eq!(endpoint(&[(BASE, "http://c"), (metrics, "http://d:1")]), "http://d:1");
        assert_eq!(endpoint(&[(BASE, "http://c"), (metrics, "")]), "http://c/v1/metrics");
        for name in [metrics, BASE] {
            let error = refuse(&[(name, "localhost:4318")]);
            let said = "the endpoint is \"localhost:4318\", which does not begin with http:// or https://: write ";
            assert_eq!(error, format!("{name}: {said}http://localhost:4318"));
        }
    }

    #[test]
    fn the_protocol_tells_what_an_endpoint_is() {
        let grpc = ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc");
        if cfg!(not(feature = "otlp-grpc")) {
            assert!(refuse(&[grpc]).contains("build it with the feature otlp-grpc"));
            return;
        }
        assert_eq!(read(&[grpc]).url(), "http://localhost:4317");
        assert_eq!(read(&[grpc, (BASE, "http://c:1/")]).url(), "http://c:1/");
        let insecure = ("OTEL_EXPORTER_OTLP_METRICS_INSECURE", "True");
        assert!(!read(&[grpc, insecure, (BASE, "c")]).place("it").unwrap().secure);
        assert!(refuse(&[grpc, (BASE, "http://c/v1/metrics")]).contains("path"));
        // HTTP does with none.
        assert!(refuse(&[insecure, (BASE, "c:4318")]).contains("c:4318"));
    }

    #[test]
    fn each_variable_is_followed() {
        let builder = read(&[
            ("OTEL_SDK_DISABLED", "TRUE"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "never=seen"),
            ("OTEL_EXPORTER_OTLP_METRICS_HEADERS", "api-key = a%20b%3D,x=y=z,"),
            ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/ca.pem"),
            ("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", "/own.pem"),
            ("OTEL_EXPORTER_OTLP_METRICS_CLIENT_KEY", "/own.key"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "1500"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
            ("OTEL_EXPORTER_OTLP_METRICS_COMPRESSION", "none"),
            ("OTEL_METRIC_EXPORT_INTERVAL", "250"),
            ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "LowMemory"),
            ("OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION", "explicit_bucket_histogram"),
            ("OTEL_RESOURCE_ATTRIBUTES", "service.name=a,zone=%C3%A4,service.instance.id=7"),
            ("OTEL_SERVICE_NAME", "b"),
        ]);
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(builder.headers, [header("api-key", "a b="), header("x", "y=z")]);
        assert_eq!((builder.timeout.as_millis(), builder.interval.as_millis(), builder.disabled), (1500, 250, true));
        assert_eq!((builder.compression, builder.temporality), (Compression::None, Temporality::LowMemory));
        assert_eq!(builder.histograms, Histograms::Explicit);
        assert_eq!(builder.trust.authorities.as_deref(), Some("/ca.pem".as_ref()));
        assert_eq!(builder.trust.own, Some(("/own.pem".into(), "/own.key".into())));
        let attributes = ["service.name", "zone", "service.instance.id"].map(|key| builder.resource.get(key));
        assert_eq!(attributes, [Some("b"), Some("ä"), Some("7")]);
        let delta = read(&[("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "delta"), ("OTEL_SDK_DISABLED", "1")]);
        assert_eq!((delta.temporality, delta.disabled), (Temporality::Delta, false));
    }

    #[test]
    fn all_that_cannot_be_read_is_told_and_no_secret() {
        let error = refuse(&[
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "secret"),
            ("OTEL_EXPORTER_OTLP_CLIENT_KEY", "/own.key"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "-1"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd"),
            ("OTEL_METRIC_EXPORT_INTERVAL", "1s"),
            ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "both"),
            ("OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION", "none"),
            ("OTEL_RESOURCE_ATTRIBUTES", "a=%F"),
        ]);
        assert_eq!(error.lines().count(), 9, "{error}");
        for part in ["\"http/json\"", "\"-1\"", "gzip, none", "\"1s\"", "lowmemory", "explicit_bucket", "\"a=%F\""] {
            assert!(error.contains(part), "{part}: {error}");
        }
        assert!(!error.contains("secret"), "{error}");
    }

    #[test]
    fn words_are_read_in_any_case_and_no_time_out_is_no_limit() {
        let builder = read(&[
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "HTTP/Protobuf"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "GZIP"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "0"),
        ]);
        assert_eq!((builder.protocol, builder.compression), (Protocol::HttpProtobuf, Compression::Gzip));
        assert_eq!(builder.timeout, Duration::MAX);
        // An interval is not without limit.
        assert!(refuse(&[("OTEL_METRIC_EXPORT_INTERVAL", "0")]).contains("from 1 up"));
    }

    #[test]
    fn no_exporter_is_none() {
        let disabled = |value| read(&[("OTEL_METRICS_EXPORTER", value), ("OTEL_SDK_DISABLED", "false")]).disabled;
        for (value, expected) in [("none", true), ("None", true), ("", false), ("otlp", false), ("prometheus", false)] {
            assert_eq!(disabled(value), expected, "{value}");
        }
        assert!(read(&[("OTEL_METRICS_EXPORTER", "otlp"), ("OTEL_SDK_DISABLED", "true")]).disabled);
    }

    #[test]
    fn where_it_is_off_nothing_else_can_be_wrong() {
        for off in ["true", "True"] {
            let vars = [("OTEL_SDK_DISABLED", off), (BASE, "c:4318"), ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json")];
            assert!(read(&vars).disabled);
        }
    }

    #[cfg(unix)]
    #[test]
    fn what_is_not_utf_8_is_told_without_a_secret() {
        use std::os::unix::ffi::OsStringExt;
        for (name, is_shown) in [("OTEL_EXPORTER_OTLP_HEADERS", false), (BASE, false), ("OTEL_SERVICE_NAME", true)] {
            let value = OsString::from_vec(b"secret\xff".to_vec());
            let error = OtlpBuilder::from_vars([(OsString::from(name), value)]).unwrap_err().to_string();
            assert!(error.contains(name) && error.contains("UTF-8"), "{error}");
            assert_eq!(error.contains("secret"), is_shown, "{error}");
        }
    }
}
