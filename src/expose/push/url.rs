//! Where to push to.

use crate::error::{Error, ErrorKind};
use hyper::Uri;
use std::borrow::Cow;
use std::net::Ipv6Addr;

/// An `http` or `https` URL in its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Endpoint {
    /// Without the brackets of an IPv6 address; after a `%` its scope, as the resolver takes it.
    pub(super) host: String,
    pub(super) port: u16,
    /// Whether it is `https`.
    pub(super) secure: bool,
    /// Host and port as the URL has them.
    pub(super) authority: String,
    /// With the query; at least `/`.
    pub(super) path: String,
}

/// Where OTLP is spoken by gRPC, unless told.
const GRPC_PORT: u16 = 4317;

/// Whether a text may have a password in it: then it is not to be shown, however little of a URL it is.
pub(super) fn is_secret(text: &str) -> bool {
    text.contains('@')
}

/// What may have been meant by a text that begins with a host.
fn with_scheme(text: &str) -> Option<String> {
    let has_scheme = text.contains("://") || text.starts_with("http:") || text.starts_with("https:");
    let begins_with_host = text.starts_with(|c: char| c.is_alphanumeric() || c == '[');
    (begins_with_host && !has_scheme).then(|| format!("http://{text}"))
}

/// The start of a text, for an error.
pub(super) fn start(text: &str) -> String {
    const LONGEST: usize = 200;
    match text.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// A URL's host as the resolver takes it: an address in brackets without these, and with a bare `%` before the scope, for
/// which a URL has `%25`.
fn resolvable(host: &str) -> Option<String> {
    let Some(inner) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) else {
        return Some(host.to_owned());
    };
    let (address, scope) = match inner.split_once('%') {
        Some((address, scope)) => (address, Some(scope.strip_prefix("25").unwrap_or(scope))),
        None => (inner, None),
    };
    let is_scope = |scope: &str| !scope.is_empty() && !scope.contains('%');
    let is_whole = address.parse::<Ipv6Addr>().is_ok() && scope.is_none_or(is_scope);
    is_whole.then(|| scope.map_or_else(|| address.to_owned(), |scope| format!("{address}%{scope}")))
}

impl Endpoint {
    /// Host and port as the other side is told them: without the scope, which means something on this machine only.
    pub(super) fn told(&self) -> Cow<'_, str> {
        match (self.authority.split_once('%'), self.authority.rsplit_once(']')) {
            (Some((address, _)), Some((_, port))) => format!("{address}]{port}").into(),
            _ => (&*self.authority).into(),
        }
    }

    /// Reads a URL, which `what` names in errors.
    pub(super) fn parse(what: &str, text: &str) -> Result<Self, Error> {
        Self::parse_made(what, text, text)
    }

    /// Reads a URL that was made of what was written, which is what errors quote.
    pub(super) fn parse_made(what: &str, written: &str, text: &str) -> Result<Self, Error> {
        if is_secret(text) {
            let text = format!(
                "{what} has an \"@\": leave out user name and password, and put credentials into a header; in a path \
                 write %40"
            );
            return Err(Error::new(ErrorKind::Setting, text));
        }
        let wrong =
            |problem: &str| Error::new(ErrorKind::Setting, format!("{what} is {:?}, {problem}", start(written)));
        if let Some(url) = with_scheme(text) {
            return Err(wrong(&format!("which does not begin with http:// or https://: write {}", start(&url))));
        }
        let uri: Uri = text.parse().map_err(|error| wrong(&format!("which is no URL ({error})")))?;
        let secure = match uri.scheme_str() {
            Some("http") => false,
            Some("https") if cfg!(feature = "tls") => true,
            Some("https") => {
                return Err(wrong(
                    "but this build has no TLS: build it with the feature tls, or push by http:// to an agent on this \
                     machine",
                ));
            }
            _ => return Err(wrong("which does not begin with http:// or https://")),
        };
        let authority = uri.authority().map(|authority| authority.as_str()).unwrap_or_default();
        let host = uri.host().unwrap_or_default();
        if host.is_empty() {
            return Err(wrong("which names no host"));
        }
        let resolved = resolvable(host).ok_or_else(|| {
            wrong(
                "where no IPv6 address is in the brackets, with or without %25 and the name or number of an interface",
            )
        })?;
        let port = match authority.strip_prefix(host) {
            Some("") => Some(if secure { 443 } else { 80 }),
            _ => uri.port_u16().filter(|port| *port > 0),
        };
        let port = port.ok_or_else(|| wrong("where what follows the host is no port: give one from 1 to 65535"))?;
        Ok(Self {
            host: resolved,
            port,
            secure,
            authority: authority.to_owned(),
            path: uri.path_and_query().map_or("/", |path| path.as_str()).to_owned(),
        })
    }

    /// Reads where to call by gRPC: a URL without a path, or a host with or without a port, which is spoken with by TLS
    /// unless `insecure`.
    #[cfg_attr(not(feature = "otlp"), allow(dead_code, reason = "for OTLP"))]
    pub(super) fn parse_grpc(what: &str, text: &str, insecure: bool) -> Result<Self, Error> {
        let has_scheme = text.contains("://");
        let scheme = if insecure { "http" } else { "https" };
        let url = if has_scheme { text.to_owned() } else { format!("{scheme}://{text}") };
        let mut endpoint = Self::parse_made(what, text, &url)?;
        if endpoint.path != "/" {
            let text = format!("{what} is {:?}, where a path follows: leave it out, as gRPC has its own", start(text));
            return Err(Error::new(ErrorKind::Setting, text));
        }
        // A colon within brackets is one of an address.
        let port = endpoint.authority.rsplit(']').next().filter(|rest| rest.contains(':'));
        if !has_scheme && port.is_none() {
            endpoint.port = GRPC_PORT;
            endpoint.authority = format!("{}:{GRPC_PORT}", endpoint.authority);
        }
        Ok(endpoint)
    }
}

#[cfg(test)]
mod tests {
    use super::{Endpoint, start};

    #[test]
    fn urls_are_taken_apart() {
        let parse = |text| Endpoint::parse("endpoint", text);
        for (text, host, port, authority, path) in [
            ("http://localhost:4318/v1/metrics", "localhost", 4318, "localhost:4318", "/v1/metrics"),
            ("http://collector", "collector", 80, "collector", "/"),
            ("http://[::1]:9/a?b=c", "::1", 9, "[::1]:9", "/a?b=c"),
            ("http://127.0.0.1:4318", "127.0.0.1", 4318, "127.0.0.1:4318", "/"),
        ] {
            let endpoint = parse(text).unwrap();
            assert_eq!((&*endpoint.host, endpoint.port), (host, port));
            assert_eq!((&*endpoint.authority, &*endpoint.path), (authority, path));
        }
        if cfg!(feature = "tls") {
            let endpoint = parse("https://collector/v1").unwrap();
            assert_eq!((endpoint.port, endpoint.secure, &*endpoint.path), (443, true, "/v1"));
        } else {
            assert!(parse("https://collector/v1").unwrap_err().to_string().contains("with the feature tls"));
        }
        for (text, problem) in [
            ("collector:4318", "does not begin with http:// or https://: write http://collector:4318"),
            ("localhost:4318/v1/metrics", ": write http://localhost:4318/v1/metrics"),
            ("::1", "no URL"),
            ("http:/collector", "no URL"),
            ("/v1/metrics", "http://"),
            ("ftp://collector", "http://"),
            ("http://a b", "no URL"),
            ("http://a:65536/v1", "no port"),
            ("http://[::1]:99999", "no port"),
            ("http://a:0", "no port"),
            ("http://a:", "no port"),
            ("", "no URL"),
            ("http://[nowhere]", "no IPv6 address"),
            ("http://[fe80::1%25]", "no IPv6 address"),
            ("http://[fe80::1%25a%2Fb]:4318", "no IPv6 address"),
            ("http://fe80%25eth0:4318", "no URL"),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(&format!("endpoint is {text:?}")) && error.contains(problem), "{error}");
        }
        for text in [
            "http://user:word@collector",
            "https://user:word@collector",
            "user:word@collector",
            "http://user:wo/word@collector",
            "http://user:w word@collector",
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains("header") && !error.contains("word@"), "{error}");
        }
    }

    #[test]
    fn a_scope_is_for_the_resolver_and_not_for_the_other_side() {
        for (url, host, told) in [
            ("http://[fe80::1%25eth0]:4318/v1", "fe80::1%eth0", "[fe80::1]:4318"),
            ("http://[fe80::1%252]:4318", "fe80::1%2", "[fe80::1]:4318"),
            ("http://[fe80::1%eth0.25]", "fe80::1%eth0.25", "[fe80::1]"),
            ("http://[fe80::1]:4318", "fe80::1", "[fe80::1]:4318"),
            ("http://collector:4318", "collector", "collector:4318"),
        ] {
            let endpoint = Endpoint::parse("endpoint", url).unwrap();
            assert_eq!((&*endpoint.host, &*endpoint.told()), (host, told));
        }
        let by_grpc = Endpoint::parse_grpc("endpoint", "[fe80::1%25eth0]", true).unwrap();
        assert_eq!((&*by_grpc.host, &*by_grpc.told()), ("fe80::1%eth0", "[fe80::1]:4317"));
    }

    #[test]
    fn of_a_long_url_the_start_is_quoted() {
        assert_eq!(start("ä/"), "ä/");
        for url in [format!("http://c/{}", "ä".repeat(70_000)), format!("c/{}", "x".repeat(70_000))] {
            let error = Endpoint::parse("endpoint", &url).unwrap_err().to_string();
            assert!(error.contains(&*start(&url)) && error.len() < 1000, "{error}");
        }
    }

    #[test]
    fn grpc_takes_a_host_alone_too() {
        let parse = |text, insecure| Endpoint::parse_grpc("endpoint", text, insecure);
        for (text, host, port, authority) in [
            ("http://collector:4317", "collector", 4317, "collector:4317"),
            ("http://collector/", "collector", 80, "collector"),
            ("collector:99", "collector", 99, "collector:99"),
            ("collector", "collector", 4317, "collector:4317"),
            ("127.0.0.1", "127.0.0.1", 4317, "127.0.0.1:4317"),
            ("[::1]", "::1", 4317, "[::1]:4317"),
            ("[::1]:99", "::1", 99, "[::1]:99"),
        ] {
            let endpoint = parse(text, true).unwrap();
            assert_eq!((&*endpoint.host, endpoint.port, &*endpoint.authority), (host, port, authority));
            assert!(!endpoint.secure);
        }
        // Without a word it is TLS; a scheme says more than the word.
        match parse("collector", false) {
            Ok(endpoint) => assert!(cfg!(feature = "tls") && endpoint.secure),
            Err(error) => assert!(error.to_string().contains("with the feature tls"), "{error}"),
        }
        assert!(!parse("http://collector", false).unwrap().secure);
        assert_eq!(parse("https://collector", true).is_ok_and(|endpoint| endpoint.secure), cfg!(feature = "tls"));
        for (text, problem) in [
            ("http://c:4317/v1/metrics", "path"),
            ("c:4317/v1/metrics", "path"),
            ("http://c?a=b", "path"),
            ("", "no URL"),
            ("c:99999", "no port"),
            ("unix:///run/otlp.sock", "no URL"),
            ("user:word@c", "header"),
        ] {
            let error = parse(text, true).unwrap_err().to_string();
            assert!(error.contains(problem), "{text}: {error}");
            assert!(text.contains('@') || error.contains(&format!("endpoint is {text:?}")), "{error}");
        }
    }
}
