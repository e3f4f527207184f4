//! The listening socket: a task per connection, within the cap.

use super::builder::{Limits, Setup};
use super::connection;
#[cfg(feature = "tls")]
use super::guard::{Admission, Guard, Visitor};
use super::landing;
use super::negotiate::Offer;
use super::networks::{Networks, Party, party};
use super::own::{Own, Refused};
use super::places::Places;
use super::request::{Ask, Route};
use super::respond::{Content, respond};
use super::scrape::Scraper;
use super::socket::{Listener, Socket};
use super::watch::Watch;
use hyper::{HeaderMap, Response};
use std::io::ErrorKind;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

/// The first and the longest pause after the system refused a connection.
const PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// For a connection that finds no place, which is said before any of its requests is read.
const NO_PLACE: &str = "HTTP/1.1 503 Service Unavailable\r\ncontent-type: text/plain; charset=utf-8\r\n\
                        content-length: 39\r\nretry-after: 1\r\nconnection: close\r\n\r\n\
                        Too many connections, try again later.\n";

/// What is known of one connection.
struct Visit {
    party: Party,
    watch: Rc<Watch>,
    #[cfg(feature = "tls")]
    visitor: Visitor,
}

/// What all connections share.
pub(super) struct Server {
    limits: Rc<Limits>,
    networks: Networks,
    scraper: Scraper,
    places: Rc<Places>,
    headers: HeaderMap,
    offer: Offer,
    #[cfg(feature = "tls")]
    guard: Guard,
    own: Rc<Own>,
}

impl Server {
    /// `own`: also what `scraper` adds to its pages.
    pub(super) fn new(setup: Setup, scraper: Scraper, own: Rc<Own>) -> Self {
        Self {
            #[cfg(feature = "tls")]
            guard: Guard::new(setup.guard, setup.limits.scrape, Rc::clone(&own)),
            places: Rc::new(Places::new(setup.limits.connections, Rc::clone(&own))),
            limits: Rc::new(setup.limits),
            networks: setup.networks,
            headers: setup.headers,
            offer: setup.offer,
            scraper,
            own,
        }
    }

    /// Accepts connections for ever.
    pub(super) async fn run(self: Rc<Self>, listener: Listener) {
        let mut pause = PAUSE.0;
        loop {
            match listener.accept().await {
                Ok((_, client)) if !self.networks.admit(client) => self.own.refused(Refused::Network),
                Ok((socket, client)) if self.places.claim(party(client)).await => self.spawn(socket, client),
                // A client that is gone needs no answer.
                Ok((socket, _)) => drop(socket.part(self.no_place())),
                // The client is gone already.
                Err(error) if matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset) => {}
                // Out of file descriptors or memory: the connection stays in the backlog, and trying at once would
                // spin.
                Err(_) => {
                    self.own.refused(Refused::System);
                    tokio::time::sleep(pause).await;
                    pause = PAUSE.1.min(pause * 2);
                    continue;
                }
            }
            pause = PAUSE.0;
            // Lets the new connection read what it was sent, before others want its place.
            tokio::task::yield_now().await;
        }
    }

    /// What a connection without a place is told: nothing in plain text where TLS is spoken.
    fn no_place(&self) -> &'static str {
        #[cfg(feature = "tls")]
        if self.guard.speaks_tls() {
            return "";
        }
        NO_PLACE
    }

    fn spawn(self: &Rc<Self>, socket: Socket, client: Option<IpAddr>) {
        let watch = Rc::new(Watch::new(&self.limits, &self.places.freed));
        let place = self.places.place(&watch);
        let server = Rc::clone(self);
        let task = tokio::task::spawn_local({
            let watch = Rc::clone(&watch);
            async move {
                let _place = place;
                if let Some(reason) = connection::serve(&watch, server.exchange(socket, client, &watch)).await {
                    server.own.refused(reason);
                }
            }
        });
        self.places.take(party(client), watch, task.abort_handle());
    }

    /// Serves a connection, and gives the reason if it comes to nothing.
    async fn exchange(&self, socket: Socket, client: Option<IpAddr>, watch: &Rc<Watch>) -> Option<Refused> {
        let visit = Rc::new(Visit {
            party: party(client),
            watch: Rc::clone(watch),
            #[cfg(feature = "tls")]
            visitor: self.guard.receive(client),
        });
        let answer = |ask| self.answer(ask, Rc::clone(&visit));
        #[cfg(feature = "tls")]
        if let Some(tls) = visit.visitor.acceptor() {
            let Ok(stream) = tls.accept(socket).await else { return Some(Refused::Handshake) };
            // An error ends the connection, as its client may at any time.
            let _ = connection::exchange(stream, Rc::clone(watch), self.offer, answer).await;
            return None;
        }
        let _ = connection::exchange(socket, Rc::clone(watch), self.offer, answer).await;
        None
    }

    async fn answer(&self, mut ask: Ask, visit: Rc<Visit>) -> Response<Content> {
        #[cfg(feature = "tls")]
        {
            match self.guard.admit(&ask, &visit.visitor).await {
                Admission::Known => visit.watch.let_in(self.guard.asks()),
                Admission::Open => {}
                Admission::Refused(status) => ask.route = Route::Refused(status),
            }
            ask.close |= self.guard.is_outdated(&visit.visitor);
        }
        #[cfg(not(feature = "tls"))]
        visit.watch.let_in(false);
        // Whoever is refused would keep a place that others need, by asking again.
        ask.close |= matches!(ask.route, Route::Refused(_));
        let scraped = match &ask.route {
            Route::Metrics(wanted) => Some(self.scraper.scrape(wanted, || self.places.hurry(visit.party)).await),
            _ => None,
        };
        let landing = match &ask.route {
            Route::Landing => landing::page(self.own.is_open_to_all()),
            _ => String::new(),
        };
        let mut response = respond(&ask, &landing, scraped);
        response.headers_mut().extend(self.headers.clone());
        #[cfg(feature = "tls")]
        self.guard.finish(response.status(), response.headers_mut());
        self.own.answered(response.status());
        response
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_length_of_the_refusal_is_right() {
        let (head, body) = super::NO_PLACE.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("content-length: {}\r\n", body.len())));
    }
}
