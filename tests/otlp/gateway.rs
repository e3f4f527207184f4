//! Pushing to a Pushgateway.

use crate::receiver::{Answer, Receiver};
use std::time::Duration;
use tach::push::Pushgateway;
use tach::{ErrorKind, Registry, text};

#[test]
fn a_group_is_replaced_added_to_and_removed() {
    let receiver = Receiver::start([202, 200, 202].map(Answer::status));
    let registry = Registry::new();
    registry.counter("rows").build().unwrap().add(5);
    let gateway = Pushgateway::new(&format!("http://{}/", receiver.address()), "nightly job").unwrap();
    let gateway = gateway.group("path", "a/b").unwrap();
    let snapshot = registry.snapshot();
    gateway.put(&snapshot).unwrap();
    gateway.post(&snapshot).unwrap();
    // In asynchronous code too.
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async { gateway.delete() }).unwrap();
    let received = receiver.received();
    let path = "/metrics/job/nightly%20job/path@base64/YS9i HTTP/1.1";
    let lines: Vec<_> = received.iter().map(|request| &*request.line).collect();
    assert_eq!(lines, [format!("PUT {path}"), format!("POST {path}"), format!("DELETE {path}")]);
    for request in &received[..2] {
        assert_eq!(request.headers["content-type"], text::CONTENT_TYPE);
        assert_eq!(request.body, text::render(&snapshot).as_bytes());
    }
    assert!(received[2].body.is_empty());
}

#[test]
fn what_a_gateway_wants_to_see_is_in_a_header() {
    let receiver = Receiver::start([401, 200].map(Answer::status));
    let gateway = Pushgateway::new(&format!("http://{}", receiver.address()), "job").unwrap();
    let error = gateway.delete().unwrap_err().to_string();
    assert!(error.contains("answered 401"), "{error}");
    let gateway = gateway.header("authorization", "Bearer old").unwrap().header("Authorization", "Basic dTpw").unwrap();
    gateway.header("user-agent", "nightly/1").unwrap().put(&Registry::new().snapshot()).unwrap();
    let received = receiver.received();
    assert!(
        !received[0].headers.contains_key("authorization") && received[0].headers["user-agent"].starts_with("tach/")
    );
    for (name, value) in [("authorization", "Basic dTpw"), ("user-agent", "nightly/1")] {
        assert_eq!(received[1].headers[name], value);
    }
    assert_eq!(received[1].headers["content-type"], text::CONTENT_TYPE);
}

#[test]
fn what_the_gateway_says_is_in_the_error() {
    let long = [b"text format\nparsing error ", &[b'x'; 5000][..]].concat();
    let answers = [Answer::Status(400, "", long), Answer::Nothing, Answer::Silence, Answer::status(301)];
    let receiver = Receiver::start(answers);
    let gateway = Pushgateway::new(&format!("http://{}", receiver.address()), "job").unwrap();
    let mut said = Vec::new();
    for timeout in [10_000, 10_000, 200, 10_000].map(Duration::from_millis) {
        let error = gateway.clone().timeout(timeout).put(&Registry::new().snapshot()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Push);
        said.push(error.to_string());
    }
    let place = format!("pushgateway: PUT http://{}/metrics/job/job: ", receiver.address());
    assert!(said.iter().all(|error| error.starts_with(&place)), "{said:?}");
    assert!(said[0].contains("answered 400: text format parsing error xxx") && said[0].len() < 400, "{}", said[0]);
    assert!(said[1].contains("no response") && said[2].contains("within 200ms") && said[3].contains("301"), "{said:?}");
    // Each was sent once.
    assert_eq!(receiver.received().len(), 4);
}

#[test]
fn a_status_counts_though_its_body_does_not_come() {
    let receiver = Receiver::start([Answer::Stalled(202, ""), Answer::Stalled(400, "")]);
    let gateway = Pushgateway::new(&format!("http://{}", receiver.address()), "job").unwrap();
    let gateway = gateway.timeout(Duration::from_millis(1500));
    gateway.put(&Registry::new().snapshot()).unwrap();
    let error = gateway.put(&Registry::new().snapshot()).unwrap_err().to_string();
    assert!(error.ends_with("answered 400, but its body did not come within 1.5s"), "{error}");
}
