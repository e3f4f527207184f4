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

/// Whether a text may have a password in it: then it is not to be shown, however little of a URL it is.
pub(super) fn is_secret(text: &str) -> bool {
    text.contains('@')
}

impl Endpoint {
    /// Reads a URL, which `what` names in errors.
    pub(super) fn parse(what: &str, text: &str) -> Result<Self, Error> {
        if is_secret(text) {
            let text = format!(
                "{what} has an \"@\": leave out user name and password, and put credentials into a header; in a path \
                 write %40"
            );
            return Err(Error::new(ErrorKind::Setting, text));
        }
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
        let host = uri.host().unwrap_or_default();
        if host.is_empty() {
            return Err(wrong("which names no host"));
        }
        let port = match authority.strip_prefix(host) {
            Some("") => Some(if secure { 443 } else { 80 }),
            _ => uri.port_u16().filter(|port| *port > 0),
        };
        let port = port.ok_or_else(|| wrong("where what follows the host is no port: give one from 1 to 65535"))?;
        Ok(Self {
            host: host.trim_matches(['[', ']']).to_owned(),
            port,
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
            ("http://a:65536/v1", "no port"),
            ("http://[::1]:99999", "no port"),
            ("http://a:0", "no port"),
            ("http://a:", "no port"),
            ("", "no URL"),
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
}
