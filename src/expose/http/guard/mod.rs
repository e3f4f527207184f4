//! Who is served, and how that is kept secret: TLS, passwords and tokens, headers, a rate. What the web configuration
//! says of them is read again when its file, or one that it names, has changed.

mod credentials;
mod files;
mod sans;
mod settings;
mod tls;
mod web_config;

use super::own::Own;
use super::request::{Ask, Route};
use crate::error::{Error, ErrorKind};
use credentials::{Checker, Verdict};
use files::Files;
use hyper::header::{HeaderName, HeaderValue, WWW_AUTHENTICATE};
use hyper::{HeaderMap, StatusCode};
use std::cell::{Cell, RefCell};
use std::fmt;
use std::mem;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};
use tls::{Shown, Tls};
use tokio_rustls::TlsAcceptor;
use web_config::{Rate, WebConfig};

/// What the settings ask for.
#[derive(Clone, Default)]
pub(super) struct Wanted {
    pub(super) web_config: Option<PathBuf>,
    pub(super) tokens: Vec<String>,
    /// `/-/healthy` takes no password.
    pub(super) open_health: bool,
}

/// Without the tokens.
impl fmt::Debug for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut all = f.debug_struct("Wanted");
        all.field("web_config", &self.web_config).field("tokens", &format_args!("{} of them", self.tokens.len()));
        all.field("open_health", &self.open_health).finish()
    }
}

/// Whether a request is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// Its client has shown who it is, if it has to.
    Known,
    /// It asks for what everybody may have.
    Open,
    Refused(StatusCode),
}

/// What a web configuration comes to.
#[derive(Default)]
struct Loaded {
    tls: Option<Tls>,
    users: Vec<(String, String)>,
    headers: Vec<(HeaderName, HeaderValue)>,
    rate: Option<Rate>,
}

/// A connection, as the guard knows it.
pub(super) struct Visitor {
    client: Option<IpAddr>,
    /// What held when it began.
    began: Rc<Loaded>,
}

impl Visitor {
    /// What answers its handshake; `None`: there is to be none.
    pub(super) fn acceptor(&self) -> Option<&TlsAcceptor> {
        self.began.tls.as_ref().map(|tls| &tls.acceptor)
    }
}

/// The guard of one exporter, until its thread runs.
pub(super) struct Plan {
    wanted: Wanted,
    loaded: Loaded,
    files: Files,
    checker: Checker,
}

/// The guard of one exporter.
pub(super) struct Guard {
    wanted: Wanted,
    checker: Checker,
    loaded: RefCell<Rc<Loaded>>,
    files: RefCell<Files>,
    /// What the rate has room for, of clients that are known and of others.
    rooms: [Room; 2],
    patience: Duration,
    own: Rc<Own>,
}

impl Plan {
    /// Reads the web configuration, if there is one.
    pub(super) fn new(mut wanted: Wanted) -> Result<Self, Error> {
        for token in &wanted.tokens {
            if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
                let text = "exporter: bearer_token is empty or has characters that no header carries: give letters, digits \
                            and signs, as openssl rand -hex 32 makes them";
                return Err(Error::new(ErrorKind::Setting, text));
            }
        }
        let mut files = Files::default();
        let loaded = match &wanted.web_config {
            Some(path) => load(path, &mut files).map_err(|text| Error::new(ErrorKind::Setting, text))?,
            None => Loaded::default(),
        };
        let random = || Error::new(ErrorKind::System, "exporter: the system has no randomness to check passwords with");
        let checker = Checker::new(&mem::take(&mut wanted.tokens)).ok_or_else(random)?;
        Ok(Self { wanted, loaded, files, checker })
    }

    /// Whether a client has to show who it is.
    pub(super) fn asks(&self) -> bool {
        self.checker.has_tokens() || self.loaded.asks()
    }
}

impl Guard {
    /// `patience`: for how long a password may wait to be checked.
    pub(super) fn new(plan: Plan, patience: Duration, own: Rc<Own>) -> Self {
        let Plan { wanted, loaded, files, checker } = plan;
        let (loaded, files) = (RefCell::new(Rc::new(loaded)), RefCell::new(files));
        Self { wanted, checker, loaded, files, rooms: <_>::default(), patience, own }
    }

    /// Whether a client has to show who it is.
    pub(super) fn asks(&self) -> bool {
        self.checker.has_tokens() || self.loaded.borrow().asks()
    }

    /// Whether connections begin with a handshake.
    pub(super) fn speaks_tls(&self) -> bool {
        self.current().tls.is_some()
    }

    /// Takes note of a new connection.
    pub(super) fn receive(&self, client: Option<IpAddr>) -> Visitor {
        Visitor { client, began: self.current() }
    }

    /// Whether a connection began with another handshake than it would now, and is to end with its next answer.
    pub(super) fn is_outdated(&self, visitor: &Visitor) -> bool {
        let now = self.loaded.borrow();
        let same = match (&visitor.began.tls, &now.tls) {
            (Some(began), Some(now)) => began.is_as(now),
            (began, now) => began.is_none() && now.is_none(),
        };
        !Rc::ptr_eq(&visitor.began, &now) && !same
    }

    /// Whether a request is answered, and if not, with which status it is refused.
    pub(super) async fn admit(&self, ask: &Ask, visitor: &Visitor) -> Admission {
        let loaded = self.current();
        // What it showed, if anything, was looked at by other authorities, or by none.
        if loaded.is_certified() && loaded.clients() != visitor.began.clients() {
            return Admission::Refused(StatusCode::FORBIDDEN);
        }
        let admission = self.identify(ask, visitor, &loaded).await;
        // Apart, so that those who are not known take nothing from those who are. Refusals are cheap.
        let room = match admission {
            Admission::Known => &self.rooms[0],
            Admission::Open => &self.rooms[1],
            Admission::Refused(_) => return admission,
        };
        match loaded.rate {
            Some(rate) if !room.take(rate) => Admission::Refused(StatusCode::TOO_MANY_REQUESTS),
            _ => admission,
        }
    }

    async fn identify(&self, ask: &Ask, visitor: &Visitor, loaded: &Loaded) -> Admission {
        if loaded.users.is_empty() && !self.checker.has_tokens() {
            return Admission::Known;
        }
        if ask.route == Route::Healthy && self.wanted.open_health {
            return Admission::Open;
        }
        let Some(value) = &ask.authorization else { return Admission::Refused(StatusCode::UNAUTHORIZED) };
        match self.checker.check(&loaded.users, value, visitor.client, self.patience).await {
            Verdict::Right => Admission::Known,
            Verdict::Wrong => Admission::Refused(StatusCode::UNAUTHORIZED),
            Verdict::Late => Admission::Refused(StatusCode::SERVICE_UNAVAILABLE),
        }
    }

    /// Adds the headers that a response has to have.
    pub(super) fn finish(&self, status: StatusCode, headers: &mut HeaderMap) {
        let loaded = self.current();
        if status == StatusCode::UNAUTHORIZED {
            if !loaded.users.is_empty() {
                headers
                    .append(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"metrics\", charset=\"UTF-8\""));
            }
            if self.checker.has_tokens() {
                headers.append(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"metrics\""));
            }
        }
        for (name, value) in &loaded.headers {
            headers.insert(name, value.clone());
        }
    }

    /// What the files say, read again if they have changed. What cannot be read, or takes protection away, changes
    /// nothing and is counted.
    fn current(&self) -> Rc<Loaded> {
        let mut files = self.files.borrow_mut();
        if let Some(path) = self.wanted.web_config.as_ref().filter(|_| files.have_changed()) {
            let mut read = Files::default();
            let loaded = load(path, &mut read);
            // Tried again when they change again.
            *files = read;
            match loaded {
                Ok(new) if new.protects_as(&self.loaded.borrow()) => {
                    if new.asks() {
                        self.own.close();
                    }
                    *self.loaded.borrow_mut() = Rc::new(new);
                }
                _ => self.own.reload_failed(),
            }
        }
        Rc::clone(&self.loaded.borrow())
    }
}

/// How many requests a rate has room for, and when that was worked out.
#[derive(Debug, Default)]
struct Room(Cell<Option<(f64, Instant)>>);

impl Room {
    /// Takes a request's room, if there is some.
    fn take(&self, rate: Rate) -> bool {
        let now = Instant::now();
        let full = f64::from(rate.burst);
        let (left, then) = self.0.get().unwrap_or((full, now));
        let more = (now - then).as_secs_f64() / rate.interval.as_secs_f64();
        let left = full.min(left + more);
        let has_room = left >= 1.0;
        self.0.set(Some((if has_room { left - 1.0 } else { left }, now)));
        has_room
    }
}

impl Loaded {
    fn clients(&self) -> Option<&Shown> {
        self.tls.as_ref().map(|tls| &tls.clients)
    }

    /// Whether only clients with a certificate get through the handshake.
    fn is_certified(&self) -> bool {
        self.clients().is_some_and(|clients| clients.required)
    }

    /// Whether only clients whose certificate has one of some names do.
    fn is_named(&self) -> bool {
        self.clients().is_some_and(Shown::is_named)
    }

    /// Whether a client has to show who it is.
    fn asks(&self) -> bool {
        self.is_certified() || !self.users.is_empty()
    }

    /// Whether nothing that `other` has clients show or keeps secret would be left open: a file that is cut short while
    /// it is written, or one that is emptied, must not do that.
    fn protects_as(&self, other: &Self) -> bool {
        (self.tls.is_some() || other.tls.is_none())
            && (self.is_certified() || !other.is_certified())
            && (self.is_named() || !other.is_named())
            && (!self.users.is_empty() || other.users.is_empty())
    }
}

/// Reads a text as a web configuration, for fuzzing: what is wrong with it, if anything.
///
/// # Errors
///
/// It is none.
#[doc(hidden)]
pub fn check_web_config(text: &str) -> Result<(), String> {
    WebConfig::parse(text, Path::new("")).map(drop)
}

/// Reads a web configuration and the files that it names. The error names the file.
fn load(path: &Path, files: &mut Files) -> Result<Loaded, String> {
    let text = files.read(path).map_err(|error| format!("exporter: web_config {error}"))?;
    let within = |error: String| format!("exporter: web_config {}: {error}", path.display());
    let config = WebConfig::parse(&text, path.parent().unwrap_or(Path::new(""))).map_err(within)?;
    let tls = config.tls.as_ref().map(|config| tls::read(config, files)).transpose().map_err(within)?;
    Ok(Loaded { tls, users: config.users, headers: config.headers, rate: config.rate })
}

#[cfg(test)]
mod tests {
    use super::{Plan, Rate, Room, Wanted};
    use std::time::Duration;

    #[test]
    fn a_rate_lets_a_burst_through_and_then_one_at_a_time() {
        let room = Room::default();
        let rate = Rate { interval: Duration::from_millis(200), burst: 3 };
        let through = (0..10).filter(|_| room.take(rate)).count();
        assert_eq!(through, 3);
        std::thread::sleep(Duration::from_millis(210));
        assert!(room.take(rate));
    }

    #[test]
    fn tokens_that_no_header_carries_are_refused_and_not_shown() {
        for token in ["", "two words", "line\nfeed", "ä"] {
            let wanted = Wanted { tokens: vec![token.to_owned()], ..Wanted::default() };
            let error = Plan::new(wanted).map(drop).unwrap_err().to_string();
            assert!(error.contains("bearer_token") && !error.contains("two words"), "{error}");
        }
    }

    #[test]
    fn only_digests_of_tokens_are_kept() {
        let plan = Plan::new(Wanted { tokens: vec!["token".to_owned()], ..Wanted::default() }).unwrap();
        assert!(plan.asks() && plan.wanted.tokens.is_empty());
    }
}
