//! The metrics in a server that there is already.

use crate::client::*;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use tach::{Endpoint, Registry, Resource};
use tokio::sync::oneshot;

/// Wakes a thread.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits without any runtime, as an endpoint needs none.
fn wait<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let waker = Arc::new(Unpark(std::thread::current())).into();
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => std::thread::park(),
        }
    }
}

fn respond(endpoint: &Endpoint, method: &str, uri: &str, headers: &[(&str, &str)]) -> Response<Vec<u8>> {
    let request = Request::builder().method(method).uri(uri);
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    wait(endpoint.respond(&request.body("ignored").unwrap()))
}

fn text(response: &Response<Vec<u8>>) -> &str {
    std::str::from_utf8(response.body()).unwrap()
}

#[test]
fn it_begins_with_target_info_where_it_is_told() {
    let registry = Registry::new();
    let resource = Resource::new().service("llm");
    let endpoint = Endpoint::new(&registry).unwrap().target_info(&resource).unwrap();
    let page = respond(&endpoint, "GET", "/metrics", &[("accept", "application/openmetrics-text")]);
    assert!(text(&page).starts_with("# TYPE target info\n"), "{}", text(&page));
    assert!(registry.gauge("target").build().is_err());
    let taken = Registry::new();
    taken.gauge("target_info").build().unwrap();
    assert!(Endpoint::new(&taken).unwrap().target_info(&resource).is_err());
}

#[test]
fn its_answers_are_those_of_the_exporter() {
    let (registry, exporter) = tokens();
    let endpoint = Endpoint::new(&registry).unwrap();
    let mut client = Client::connect(&exporter);
    for (method, query, headers) in [
        ("GET", "", &[][..]),
        ("GET", "", &[("Accept", "application/openmetrics-text"), ("Accept-Encoding", "gzip")]),
        ("GET", "?name[]=tokens_total", &[("Accept", "text/plain;version=1.0.0")]),
        ("HEAD", "?name[]=tokens_total", &[]),
        ("POST", "", &[]),
    ] {
        let lines: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let of_exporter = client.request(method, &format!("/metrics{query}"), &lines);
        let response = respond(&endpoint, method, &format!("/anywhere/else{query}"), headers);
        assert_eq!(response.status(), of_exporter.status);
        for name in ["content-type", "content-encoding", "vary", "allow", "x-content-type-options"] {
            let value = response.headers().get(name).map(|value| value.to_str().unwrap());
            assert_eq!(value, of_exporter.header(name), "{name}");
        }
        if !query.is_empty() {
            assert_eq!(response.body(), &of_exporter.body);
        }
        assert_eq!(response.body().is_empty(), method == "HEAD");
    }
    let zipped = respond(&endpoint, "GET", "/", &[("Accept-Encoding", "gzip")]);
    assert!(String::from_utf8(gunzip(zipped.body())).unwrap().contains("\ntokens_total 5\n"));
}

#[test]
fn a_request_shows_what_was_recorded_before_it() {
    let registry = Registry::new();
    let counter = registry.counter("fresh").build().unwrap();
    let endpoint = Endpoint::new(&registry).unwrap();
    for n in 1..=100 {
        counter.inc();
        let response = respond(&endpoint.clone(), "GET", "/metrics?name[]=fresh_total", &[]);
        assert!(text(&response).ends_with(&format!("\nfresh_total {n}\n")));
    }
}

#[test]
fn a_view_that_panics_costs_only_that_answer() {
    let registry = Registry::new();
    let tokens = registry.counter("tokens").build().unwrap();
    let endpoint = Endpoint::new(&registry).unwrap().view(|snapshot| {
        assert_ne!(snapshot.counter("tokens", &[]), Some(1), "this test views with a panic");
        snapshot.since(snapshot)
    });
    for (status, line) in [(200, "tokens_total 0\n"), (500, "could not be rendered"), (200, "tokens_total 0\n")] {
        let response = respond(&endpoint, "GET", "/metrics", &[]);
        assert!(response.status() == status && text(&response).contains(line), "{response:?}");
        tokens.inc();
    }
}

#[test]
fn answers_may_be_awaited_anywhere_and_dropped() {
    fn is_free<T: Send + 'static>(value: T) -> T {
        value
    }
    let (registry, go) = crate::limits::blocked();
    let views = Arc::new(Mutex::new(0));
    let count = Arc::clone(&views);
    let endpoint = Endpoint::new(&registry).unwrap().view(move |snapshot| {
        *count.lock().unwrap() += 1;
        snapshot.clone()
    });
    let ask = || endpoint.respond(&Request::get("/metrics").body(()).unwrap());
    let (kept, dropped) = (is_free(ask()), is_free(ask()));
    let mut pending = pin!(kept);
    assert!(pending.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    drop(dropped);
    drop(go);
    assert_eq!(wait(pending).status(), 200);
    // Nothing is rendered for whoever has gone.
    assert_eq!(*views.lock().unwrap(), 1);
    let late = ask();
    drop(endpoint);
    // Answered before the collector ended, or refused.
    assert!([200, 503].contains(&wait(late).status().as_u16()));
}

/// Serves an endpoint by hyper at /mounted, as a program does that has such a server anyway, until told; gives where.
fn mount(endpoint: Endpoint) -> (SocketAddr, oneshot::Sender<()>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let serve = async move {
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        loop {
            let socket = TokioIo::new(listener.accept().await.unwrap().0);
            let endpoint = endpoint.clone();
            let answer = service_fn(move |request: Request<Incoming>| {
                let response = (request.uri().path() == "/mounted").then(|| endpoint.respond(&request));
                async move {
                    let none = || Response::builder().status(404).body(Vec::new()).unwrap();
                    let response = match response {
                        Some(response) => response.await,
                        None => none(),
                    };
                    Ok::<_, Infallible>(response.map(|body| Full::new(Bytes::from(body))))
                }
            });
            // A runtime with several threads would ask the same: what is spawned has to be `Send`.
            tokio::spawn(http1::Builder::new().serve_connection(socket, answer));
        }
    };
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            tokio::spawn(serve);
            let _ = stopped.await;
        });
    });
    (address, stop)
}

#[test]
fn a_server_that_is_there_already_serves_it_by_http() {
    let registry = Registry::new();
    registry.counter("tokens").build().unwrap().add(5);
    let (address, _stop) = mount(Endpoint::new(&registry).unwrap());
    let mut client = Client::connect_to(address);
    for round in 1..4 {
        registry.counter("rounds").build().unwrap().add(1);
        let page = client.request("GET", "/mounted", "");
        assert_eq!((page.status, page.header("content-type")), (200, Some(CONTENT_TYPE)));
        assert_eq!((page.value("tokens_total"), page.value("rounds_total")), (Some(5.0), Some(f64::from(round))));
        let zipped = client.request("GET", "/mounted", "Accept-Encoding: gzip\r\n");
        assert_eq!(zipped.header("content-encoding"), Some("gzip"));
        assert!(String::from_utf8(gunzip(&zipped.body)).unwrap().contains("\ntokens_total 5\n"));
        let head = client.request("HEAD", "/mounted?name[]=tokens_total", "");
        let get = client.request("GET", "/mounted?name[]=tokens_total", "Accept: application/openmetrics-text\r\n");
        assert!(head.body.is_empty() && head.header("content-length").is_some());
        assert!(get.text().ends_with("tokens_total 5\n# EOF\n"), "{}", get.text());
        let refused = client.request("DELETE", "/mounted", "");
        assert_eq!((refused.status, refused.header("allow")), (405, Some("GET, HEAD")));
        assert_eq!(client.request("GET", "/metrics", "").status, 404);
    }
    // From several connections at once, as its clones share a thread.
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let page = Client::connect_to(address).request("GET", "/mounted", "");
                assert_eq!(page.value("tokens_total"), Some(5.0));
            });
        }
    });
}
