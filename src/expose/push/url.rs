//! Where to push to.

use crate::error::{Error, ErrorKind};
use hyper::Uri;

/// An `http` or `https` URL in its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Endpoint {
    /// Without the brackets of an IPv6 address.
    pub(super) host: String,
    pub(super) port: u16,
    /// Whether it is `https`.
    pub(super) secure: bool,
    /// Host and port as the URL has them, for the header `Host`.
    pub(super) authority: String,
    /// With the query; at least `/`.
    pub(super) path: String,
}

impl Endpoint {
    /// Reads a URL, which `what` names in errors.
    pub(super) fn parse(what: &str, text: &str) -> Result<Self, Error> {
        let wrong = |problem: &str| Error::new(ErrorKind::Setting, format!("{what} is {text:?}, {problem}"));
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
        if authority.contains('@') {
            let text = format!("{what} has a user name: leave it out, and put credentials into a header");
            return Err(Error::new(ErrorKind::Setting, text));
        }
        let host = uri.host().unwrap_or_default();
        if host.is_empty() {
            return Err(wrong("which names no host"));
        }
        Ok(Self {
            host: host.trim_matches(['[', ']']).to_owned(),
            port: uri.port_u16().unwrap_or(if secure { 443 } else { 80 }),
            secure,
            authority: authority.to_owned(),
            path: uri.path_and_query().map_or("/", |path| path.as_str()).to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Endpoint;

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
            ("collector:4318", "http://"),
            ("/v1/metrics", "http://"),
            ("ftp://collector", "http://"),
            ("http://a b", "no URL"),
            ("", "no URL"),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(&format!("endpoint is {text:?}")) && error.contains(problem), "{error}");
        }
        let error = parse("http://user:word@collector").unwrap_err().to_string();
        assert!(error.contains("header") && !error.contains("word"), "{error}");
    }
}
