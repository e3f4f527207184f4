//! The listening socket: a task per connection, within the cap.

use super::builder::Limits;
use super::connection;
use super::landing;
use super::own::{Own, Refused};
use super::places::Places;
use super::request::{Ask, Route};
use super::respond::{Content, respond};
use super::scrape::Scraper;
use super::watch::Watch;
use hyper::Response;
use std::io::{self, ErrorKind, Read, Write};
use std::rc::Rc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};

/// The first and the longest pause after the system refused a connection.
const PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// For a connection that finds no place, which is said before any of its requests is read.
const NO_PLACE: &str = "HTTP/1.1 503 Service Unavailable\r\ncontent-type: text/plain; charset=utf-8\r\n\
                        content-length: 39\r\nretry-after: 1\r\nconnection: close\r\n\r\n\
                        Too many connections, try again later.\n";

/// What all connections share.
pub(super) struct Server {
    limits: Rc<Limits>,
    scraper: Scraper,
    landing: String,
    own: Rc<Own>,
}

impl Server {
    pub(super) fn new(limits: Limits, scraper: Scraper, own: Rc<Own>) -> Self {
        Self { limits: Rc::new(limits), scraper, landing: landing::page(), own }
    }

    /// Accepts connections for ever.
    pub(super) async fn run(self: Rc<Self>, listener: TcpListener) {
        let places = Rc::new(Places::new(self.limits.connections, Rc::clone(&self.own)));
        let mut pause = PAUSE.0;
        loop {
            match listener.accept().await {
                Ok((stream, _)) if places.claim().await => self.spawn(&places, stream),
                Ok((stream, _)) => refuse(stream),
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

    fn spawn(self: &Rc<Self>, places: &Rc<Places>, stream: TcpStream) {
        // A response is written in one go; waiting for more to send would only delay its end.
        let _ = stream.set_nodelay(true);
        let watch = Rc::new(Watch::new(&self.limits, &places.freed));
        let place = places.place(&watch);
        let server = Rc::clone(self);
        let task = tokio::task::spawn_local({
            let watch = Rc::clone(&watch);
            async move {
                let _place = place;
                let answer = |ask| server.answer(ask);
                if let Some(reason) = connection::serve(stream, watch, answer).await {
                    server.own.refused(reason);
                }
            }
        });
        places.take(watch, task.abort_handle());
    }

    async fn answer(&self, ask: Ask) -> Response<Content> {
        let scraped = match &ask.route {
            Route::Metrics(wanted) => Some(self.scraper.scrape(wanted).await),
            _ => None,
        };
        let response = respond(&ask, &self.landing, scraped);
        self.own.answered(response.status());
        response
    }
}

/// Says that there is no place, as far as that can be said without waiting.
fn refuse(stream: TcpStream) {
    let refuse = || -> io::Result<()> {
        let mut stream = stream.into_std()?;
        // Unread bytes would make the system reset the connection, and the client might never see the answer.
        let _ = stream.read(&mut [0; 4096]);
        stream.write_all(NO_PLACE.as_bytes())?;
        stream.shutdown(std::net::Shutdown::Write)
    };
    // A client that is gone needs no answer.
    let _ = refuse();
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_length_of_the_refusal_is_right() {
        let (head, body) = super::NO_PLACE.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("content-length: {}\r\n", body.len())));
    }
}
