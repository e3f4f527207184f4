//! The web configuration of Prometheus's exporters (the format of its exporter-toolkit), read into what it says. Pure:
//! no file is opened here.

mod chosen;
mod section;
mod yaml;

use hyper::header::{HeaderName, HeaderValue};
use section::Section;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio_rustls::rustls::{CipherSuite, NamedGroup};

/// What a web configuration says.
#[derive(Debug, Default)]
pub(in crate::expose::http) struct WebConfig {
    pub(super) tls: Option<TlsConfig>,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    /// Names, and bcrypt's hashes of their passwords.
    pub(super) users: Vec<(String, String)>,
    pub(super) rate: Option<Rate>,
}

/// How TLS is spoken.
#[derive(Debug)]
pub(super) struct TlsConfig {
    pub(super) cert: Pem,
    pub(super) key: Pem,
    pub(super) clients: Clients,
    pub(super) spoken: Spoken,
    /// The names of which a client's certificate has to have one, if any.
    pub(super) sans: Vec<String>,
}

/// What is spoken in TLS.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Spoken {
    /// Whether TLS 1.2 and 1.3 are.
    pub(super) versions: (bool, bool),
    /// The suites of TLS 1.2; `None`: all.
    pub(super) suites: Option<Vec<CipherSuite>>,
    /// `None`: all.
    pub(super) groups: Option<Vec<NamedGroup>>,
}

/// What clients have to show.
#[derive(Debug)]
pub(super) enum Clients {
    Anybody,
    /// A certificate of these authorities, if any.
    Verified(Pem),
    /// A certificate of these authorities.
    Certified(Pem),
}

/// Where something encoded as PEM is.
#[derive(Debug)]
pub(super) enum Pem {
    File(PathBuf),
    Inline(String),
}

/// So many requests at once, and one more each interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rate {
    pub(super) interval: Duration,
    pub(super) burst: u32,
}

/// The dearest hash whose check is bearable: about a second.
const COST_MAX: u32 = 14;

/// The headers that can be set, and the values for those that have only some.
const HEADERS: [(&str, &[&str]); 5] = [
    ("Content-Security-Policy", &[]),
    ("X-Frame-Options", &["deny", "sameorigin"]),
    ("X-Content-Type-Options", &["nosniff"]),
    ("X-XSS-Protection", &[]),
    ("Strict-Transport-Security", &[]),
];

impl WebConfig {
    /// Reads a configuration. Names of files are relative to `directory`. The error names line and key, and says what
    /// is allowed.
    pub(in crate::expose::http) fn parse(text: &str, directory: &Path) -> Result<Self, String> {
        let mut root = Section::new(yaml::read(text)?, "")?;
        let config = Self {
            tls: root.section("tls_server_config")?.map(|section| tls(section, directory)).transpose()?.flatten(),
            headers: root.section("http_server_config")?.map_or(Ok(Vec::new()), http)?,
            users: root.section("basic_auth_users")?.map_or(Ok(Vec::new()), users)?,
            rate: root.section("rate_limit")?.map(rate).transpose()?.flatten(),
        };
        root.finish()?;
        Ok(config)
    }
}

fn tls(mut section: Section, directory: &Path) -> Result<Option<TlsConfig>, String> {
    if section.is_empty() {
        return Ok(None);
    }
    let cert = pem(&mut section, "cert", directory)?;
    let key = pem(&mut section, "key", directory)?;
    let client_ca = pem(&mut section, "client_ca", directory)?;
    let clients = section.text("client_auth_type")?.filter(|text| !text.is_empty());
    let clients = match (clients.as_deref().unwrap_or("NoClientCert"), client_ca) {
        ("NoClientCert", None) => Clients::Anybody,
        ("VerifyClientCertIfGiven", Some(ca)) => Clients::Verified(ca),
        ("RequireAndVerifyClientCert", Some(ca)) => Clients::Certified(ca),
        ("VerifyClientCertIfGiven" | "RequireAndVerifyClientCert", None) => {
            return Err(section.wrong("client_auth_type", "needs client_ca_file or client_ca beside it"));
        }
        ("NoClientCert", Some(_)) => {
            let text = "has an effect only with client_auth_type: RequireAndVerifyClientCert";
            return Err(section.wrong("client_ca_file", text));
        }
        ("RequestClientCert" | "RequireAnyClientCert" | "RequireClientCert", _) => {
            let text =
                "asks for certificates that nobody verifies, which proves nothing: use RequireAndVerifyClientCert";
            return Err(section.wrong("client_auth_type", text));
        }
        (other, _) => {
            let text =
                format!("is {other:?}: allowed are NoClientCert, VerifyClientCertIfGiven, RequireAndVerifyClientCert");
            return Err(section.wrong("client_auth_type", &text));
        }
    };
    let spoken = Spoken {
        versions: versions(&mut section)?,
        suites: chosen::suites(&mut section)?,
        groups: chosen::groups(&mut section)?,
    };
    if spoken.versions == (true, false) && spoken.suites.as_ref().is_some_and(Vec::is_empty) {
        let text =
            "has suites of TLS 1.3 only, which max_version: TLS12 leaves out: add some of TLS 1.2, or leave one out";
        return Err(section.wrong("cipher_suites", text));
    }
    let sans = chosen::sans(&mut section, matches!(clients, Clients::Certified(_)))?;
    // What holds anyway.
    if section.flag("prefer_server_cipher_suites")? == Some(false) {
        let text = "the server's order of suites counts: leave the key out, or write true";
        return Err(section.wrong("prefer_server_cipher_suites", text));
    }
    section.finish()?;
    let (cert, key) = match (cert, key) {
        (Some(cert), Some(key)) => (cert, key),
        (None, _) => return Err(section.wrong("cert_file", "is missing: give it, or cert with the PEM text itself")),
        (_, None) => return Err(section.wrong("key_file", "is missing: give it, or key with the PEM text itself")),
    };
    Ok(Some(TlsConfig { cert, key, clients, spoken, sans }))
}

/// The value of `name` or of `name_file`. An empty text is none.
fn pem(section: &mut Section, name: &str, directory: &Path) -> Result<Option<Pem>, String> {
    let file = format!("{name}_file");
    let mut text = |name: &str| Ok::<_, String>(section.text(name)?.filter(|text| !text.is_empty()));
    match (text(name)?, text(&file)?) {
        (Some(_), Some(_)) => Err(section.wrong(name, &format!("stands beside {file}: give one of the two"))),
        (Some(text), None) => Ok(Some(Pem::Inline(text))),
        // An absolute path replaces the directory.
        (None, path) => Ok(path.map(|path| Pem::File(directory.join(path)))),
    }
}

fn versions(section: &mut Section) -> Result<(bool, bool), String> {
    let mut version = |name: &str, default| match section.text(name)?.as_deref() {
        None => Ok(default),
        Some("TLS12") => Ok(12),
        Some("TLS13") => Ok(13),
        Some("TLS10" | "TLS11") => Err(section.wrong(name, "is older than TLS12, the oldest that is spoken")),
        Some(other) => Err(section.wrong(name, &format!("is {other:?}: allowed are TLS12 and TLS13"))),
    };
    let (min, max) = (version("min_version", 12)?, version("max_version", 13)?);
    if min > max {
        return Err(section.wrong("min_version", "is above max_version"));
    }
    Ok((min == 12, max == 13))
}

fn http(mut section: Section) -> Result<Vec<(HeaderName, HeaderValue)>, String> {
    // What holds anyway.
    if section.flag("http2")? == Some(true) {
        return Err(section.wrong("http2", "HTTP/2 is not spoken: leave the key out, or write false"));
    }
    let headers = section.section("headers")?.map_or(Ok(Vec::new()), headers)?;
    section.finish()?;
    Ok(headers)
}

fn headers(mut section: Section) -> Result<Vec<(HeaderName, HeaderValue)>, String> {
    let mut headers = Vec::new();
    for (name, allowed) in HEADERS {
        let Some(value) = section.text(name)?.filter(|value| !value.is_empty()) else { continue };
        if !allowed.is_empty() && !allowed.contains(&&*value) {
            return Err(section.wrong(name, &format!("is {value:?}: allowed is {}", allowed.join(" or "))));
        }
        let header = name.parse().ok().zip(HeaderValue::from_str(&value).ok());
        headers.push(header.ok_or_else(|| section.wrong(name, "has characters that no header may have"))?);
    }
    section.finish()?;
    Ok(headers)
}

fn users(mut section: Section) -> Result<Vec<(String, String)>, String> {
    let mut users = Vec::new();
    for name in section.names() {
        // The hash is a secret: no error shows it.
        let hash = section.text(&name)?.unwrap_or_default();
        let text = match hash.parse::<bcrypt::HashParts>() {
            _ if name.is_empty() || name.contains(':') => "is no name that basic authentication can carry",
            Ok(parts) if parts.get_cost() > COST_MAX => {
                "has a hash of a cost above 14, which takes seconds: make one of 10"
            }
            Ok(parts) if parts.get_cost() < 4 => "has a hash of a cost below 4: make one of 10",
            Ok(_) => {
                users.push((name, hash));
                continue;
            }
            Err(_) => "has no bcrypt hash, which begins with $2b$ or $2y$: htpasswd -nBC 10 NAME makes one",
        };
        return Err(section.wrong(&name, text));
    }
    section.finish()?;
    Ok(users)
}

fn rate(mut section: Section) -> Result<Option<Rate>, String> {
    let interval = section.text("interval")?.unwrap_or_else(|| "0".to_owned());
    let interval = duration(&interval).ok_or_else(|| {
        section.wrong("interval", &format!("is {interval:?}: write a time with its unit, as 1s or 250ms"))
    })?;
    let burst = section.text("burst")?.map_or(Some(1), |text| text.parse().ok().filter(|burst| *burst > 0));
    let burst = burst.ok_or_else(|| section.wrong("burst", "is no number of requests from 1 up"))?;
    section.finish()?;
    Ok((interval > Duration::ZERO).then_some(Rate { interval, burst }))
}

/// A time as Go writes it: numbers with units, as `1m30s` or `1.5s`; or 0.
fn duration(text: &str) -> Option<Duration> {
    let (mut rest, mut sum) = (text, Duration::ZERO);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, after) = rest.split_at(digits);
        let letters = after.find(|c: char| !c.is_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        let seconds = match unit {
            "ns" => 1e-9,
            "us" | "µs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            "" if text == "0" => 0.0,
            _ => return None,
        };
        sum = sum.checked_add(Duration::try_from_secs_f64(number.parse::<f64>().ok()? * seconds).ok()?)?;
        rest = after;
    }
    (!text.is_empty()).then_some(sum)
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
