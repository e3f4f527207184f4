//! Who may ask: passwords, which bcrypt checks on a thread of its own, and tokens.

use crate::expose::http::networks::{Party, party};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use ring::rand::SystemRandom;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// So many right passwords are remembered.
const KNOWN_MAX: usize = 100;

/// A hash that no password is known for, in the place of that of a user who is not there.
const NOBODY: &str = "$2b$10$wm0EzAyaJxS4OBgiUjNp1eYdZXWBIW0WYWh1Ke3wkTVXyV9AkYJxC";

/// What of the credentials that a request has is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Right,
    Wrong,
    /// Too many others were being checked, or one for the same client.
    Late,
}

/// Checks credentials. What it keeps of passwords and tokens are digests under a key that only this has.
#[derive(Debug)]
pub(super) struct Checker {
    key: hmac::Key,
    tokens: Vec<hmac::Tag>,
    /// Passwords that were right, the latest last: bcrypt is slow on purpose, and a scraper comes every few seconds.
    known: RefCell<VecDeque<hmac::Tag>>,
    /// One password is checked at a time.
    turn: Arc<Semaphore>,
    /// The clients whose passwords are checked, or wait for that: each of them has one there.
    waiting: RefCell<Vec<Party>>,
}

impl Checker {
    /// `None`: the system has no randomness.
    pub(super) fn new(tokens: &[String]) -> Option<Self> {
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new()).ok()?;
        let tokens = tokens.iter().map(|token| hmac::sign(&key, token.as_bytes())).collect();
        Some(Self {
            key,
            tokens,
            known: RefCell::default(),
            turn: Arc::new(Semaphore::new(1)),
            waiting: RefCell::default(),
        })
    }

    /// Whether there are tokens.
    pub(super) fn has_tokens(&self) -> bool {
        !self.tokens.is_empty()
    }

    /// Checks the value of `Authorization`. A password that is not known waits for its turn, which clients take one
    /// after another, for as long as `patience`.
    pub(super) async fn check(
        &self,
        users: &[(String, String)],
        value: &str,
        client: Option<IpAddr>,
        patience: Duration,
    ) -> Verdict {
        let (scheme, credentials) = value.split_once(' ').unwrap_or((value, ""));
        if scheme.eq_ignore_ascii_case("bearer") {
            // All are compared, each in constant time.
            let compare = |token: &hmac::Tag| hmac::verify(&self.key, credentials.as_bytes(), token.as_ref()).is_ok();
            return verdict(self.tokens.iter().filter(|token| compare(token)).count() > 0);
        }
        if !scheme.eq_ignore_ascii_case("basic") || users.is_empty() {
            return Verdict::Wrong;
        }
        let decoded = STANDARD.decode(credentials.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        // bcrypt takes a password and its repetition behind a NUL for the same.
        let decoded = decoded.filter(|pair| !pair.contains('\0'));
        match decoded.as_deref().and_then(|pair| pair.split_once(':')) {
            Some((name, password)) => self.password(users, (name, password), client, patience).await,
            None => Verdict::Wrong,
        }
    }

    async fn password(
        &self,
        users: &[(String, String)],
        (name, password): (&str, &str),
        client: Option<IpAddr>,
        patience: Duration,
    ) -> Verdict {
        // As dear for a user who is not there, or has a cheaper hash, so that nobody can tell.
        let Work { there, hash, more } = Work::of(users, name);
        // With the hash, so that a password which is changed is no longer known.
        let mut digest = hmac::Context::with_key(&self.key);
        for part in [name, "\0", &hash, "\0", password] {
            digest.update(part.as_bytes());
        }
        let digest = digest.sign();
        if self.known.borrow().iter().any(|known| known.as_ref() == digest.as_ref()) {
            return Verdict::Right;
        }
        // Who guesses waits for its own guesses only, and others for one of them at most.
        let Some(_waiting) = Waiting::new(&self.waiting, client) else { return Verdict::Late };
        let Ok(Ok(turn)) = timeout(patience, Arc::clone(&self.turn).acquire_owned()).await else {
            return Verdict::Late;
        };
        let password = password.to_owned();
        let check = tokio::task::spawn_blocking(move || {
            // Kept by the check, which goes on when the client has gone.
            let _turn = turn;
            let is = |hash: &str| bcrypt::verify(&password, hash).unwrap_or(false);
            let right = is(&hash);
            // Whose password is right may know that.
            if !right {
                for hash in &more {
                    std::hint::black_box(is(hash));
                }
            }
            right && there
        });
        if !check.await.unwrap_or(false) {
            return Verdict::Wrong;
        }
        let mut all = self.known.borrow_mut();
        if all.len() == KNOWN_MAX {
            all.pop_front();
        }
        all.push_back(digest);
        Verdict::Right
    }
}

/// A client's place among those that wait, until dropped.
struct Waiting<'a> {
    all: &'a RefCell<Vec<Party>>,
    client: Party,
}

impl<'a> Waiting<'a> {
    /// `None`: the client has one already.
    fn new(all: &'a RefCell<Vec<Party>>, address: Option<IpAddr>) -> Option<Self> {
        let client = party(address);
        let mut waiting = all.borrow_mut();
        (!waiting.contains(&client)).then(|| {
            waiting.push(client);
            Self { all, client }
        })
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.all.borrow_mut().retain(|client| *client != self.client);
    }
}

fn verdict(right: bool) -> Verdict {
    if right { Verdict::Right } else { Verdict::Wrong }
}

/// What there is to work out for a password: as much for every name.
struct Work {
    /// Whether there is a user of this name.
    there: bool,
    /// That of the user, or of nobody at the highest cost that any user has.
    hash: String,
    /// Hashes of nobody that make up for a lower cost: each step doubles the work, so they are one of each cost from the
    /// hash's up to below the highest.
    more: Vec<String>,
}

impl Work {
    fn of(users: &[(String, String)], name: &str) -> Self {
        let cost = |hash: &str| hash.get(4..6).and_then(|cost| cost.parse().ok()).unwrap_or(10);
        let highest: u32 = users.iter().map(|(_, hash)| cost(hash)).max().unwrap_or(10);
        let of_nobody = |cost: u32| NOBODY.replacen("10", &format!("{cost:02}"), 1);
        let found = users.iter().find(|(user, _)| user == name);
        let hash = found.map_or_else(|| of_nobody(highest), |(_, hash)| hash.clone());
        let more = (cost(&hash)..highest).map(of_nobody).collect();
        Self { there: found.is_some(), hash, more }
    }
}

#[cfg(test)]
mod tests {
    use super::{Checker, Verdict, Work};
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use std::future::poll_fn;
    use std::task::Poll;
    use std::time::Duration;

    fn users() -> Vec<(String, String)> {
        let hash = |password: &str| bcrypt::hash(password, 4).unwrap();
        vec![("alice".to_owned(), hash("wonder:land")), ("bob".to_owned(), hash(""))]
    }

    fn basic(pair: &str) -> String {
        format!("Basic {}", STANDARD.encode(pair))
    }

    fn check(checker: &Checker, users: &[(String, String)], value: &str) -> Verdict {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(checker.check(users, value, None, Duration::from_secs(10)))
    }

    #[test]
    fn passwords_are_right_or_wrong_and_the_right_are_remembered() {
        let (checker, mut users) = (Checker::new(&[]).unwrap(), users());
        for (pair, verdict, known) in [
            ("alice:wonder", Verdict::Wrong, 0),
            ("alice:", Verdict::Wrong, 0),
            ("mallory:wonder:land", Verdict::Wrong, 0),
            ("bob:wonder:land", Verdict::Wrong, 0),
            ("alice:wonder:land", Verdict::Right, 1),
            ("alice:wonder:land", Verdict::Right, 1),
            ("bob:", Verdict::Right, 2),
            ("alice:wonder:land\0wonder:land", Verdict::Wrong, 2),
            ("bob:\0", Verdict::Wrong, 2),
            ("alice", Verdict::Wrong, 2),
            ("", Verdict::Wrong, 2),
        ] {
            assert_eq!(check(&checker, &users, &basic(pair)), verdict, "{pair}");
            assert_eq!(checker.known.borrow().len(), known);
        }
        for value in ["Basic", "Basic !", "Basic /w==", "Digest x", "", "Bearer ", "Bearer x"] {
            assert_eq!(check(&checker, &users, value), Verdict::Wrong, "{value}");
        }
        assert_eq!(check(&checker, &users, &basic("bob:").replace("Basic", "bAsIc")), Verdict::Right);
        // Another password for the same user.
        users[0].1 = bcrypt::hash("other", 4).unwrap();
        assert_eq!(check(&checker, &users, &basic("alice:wonder:land")), Verdict::Wrong);
        assert_eq!(check(&checker, &[], &basic("alice:wonder:land")), Verdict::Wrong);
        for _ in 0..200 {
            users[0].1 = bcrypt::hash("other", 4).unwrap();
            assert_eq!(check(&checker, &users, &basic("alice:other")), Verdict::Right);
        }
        assert_eq!(checker.known.borrow().len(), super::KNOWN_MAX);
    }

    #[test]
    fn every_name_costs_as_much() {
        let mut mixed = users();
        mixed.insert(1, ("carol".to_owned(), bcrypt::hash("", 7).unwrap()));
        for (users, cost) in [(users(), 4), (mixed, 7)] {
            for name in ["alice", "bob", "carol", "mallory", ""] {
                let work = Work::of(&users, name);
                assert_eq!(work.there, users.iter().any(|(user, _)| user == name));
                let rounds = |hash: &String| 1 << hash.parse::<bcrypt::HashParts>().unwrap().get_cost();
                assert_eq!(rounds(&work.hash) + work.more.iter().map(rounds).sum::<u64>(), 1 << cost, "{name}");
                // Worked out, and not refused at once.
                assert!(matches!(bcrypt::verify("x", &work.hash), Ok(false)));
                assert!(work.more.iter().all(|hash| matches!(bcrypt::verify("", hash), Ok(false))));
            }
        }
    }

    #[test]
    fn tokens_are_compared_whole() {
        let checker = Checker::new(&["first-token".to_owned(), "second".to_owned()]).unwrap();
        for (token, verdict) in [
            ("first-token", Verdict::Right),
            ("second", Verdict::Right),
            ("first-toke", Verdict::Wrong),
            ("first-token2", Verdict::Wrong),
            ("", Verdict::Wrong),
        ] {
            assert_eq!(check(&checker, &[], &format!("Bearer {token}")), verdict, "{token}");
        }
    }

    #[test]
    fn a_client_waits_for_its_own_guesses_and_for_one_of_each_other() {
        let (checker, users) = (Checker::new(&[]).unwrap(), users());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let check = async |client: &str, pair: &str| {
                checker.check(&users, &basic(pair), Some(client.parse().unwrap()), Duration::from_secs(60)).await
            };
            let turn = checker.turn.clone().acquire_owned().await.unwrap();
            let mut checks = Vec::new();
            for (client, pair, verdict) in [
                ("192.0.2.1", "alice:guess", Verdict::Wrong),
                ("2001:db8::1", "alice:guess", Verdict::Wrong),
                ("192.0.2.2", "alice:wonder:land", Verdict::Right),
                ("2001:db8:0:1::1", "bob:", Verdict::Right),
            ] {
                let mut check = Box::pin(check(client, pair));
                assert!(poll_fn(|cx| Poll::Ready(check.as_mut().poll(cx).is_pending())).await);
                checks.push((check, verdict));
            }
            // Answered at once: it does not wait for a turn.
            for client in ["192.0.2.1", "::ffff:192.0.2.1", "2001:db8::2"] {
                let mut again = Box::pin(check(client, "alice:guess"));
                let now = poll_fn(|cx| Poll::Ready(again.as_mut().poll(cx))).await;
                assert_eq!(now, Poll::Ready(Verdict::Late));
            }
            drop(turn);
            for (check, verdict) in checks {
                assert_eq!(check.await, verdict);
            }
            assert!(checker.waiting.borrow().is_empty());
            assert_eq!(check("192.0.2.1", "alice:guess").await, Verdict::Wrong);
        });
    }

    #[test]
    fn a_password_that_finds_no_turn_is_late() {
        let (checker, users) = (Checker::new(&[]).unwrap(), users());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let _turn = checker.turn.clone().acquire_owned().await.unwrap();
            let value = basic("alice:wonder:land");
            assert_eq!(checker.check(&users, &value, None, Duration::from_millis(10)).await, Verdict::Late);
        });
        assert_eq!(check(&checker, &users, &basic("alice:wonder:land")), Verdict::Right);
    }
}
