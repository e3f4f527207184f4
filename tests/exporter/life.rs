//! Starting, sharing and stopping.

use crate::client::*;
use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};
use tach::{ErrorKind, Exporter, ExporterBuilder, Registry, Resource};

#[test]
fn a_callback_that_panics_does_not_end_the_exporter() {
    let (registry, exporter) = tokens();
    registry.observe_gauge("broken", "Panics.", || panic!("this test has a callback that panics")).unwrap();
    for _ in 0..3 {
        assert_eq!(scrape(&exporter).value("tokens_total"), Some(5.0));
    }
}

#[test]
fn two_exporters_of_one_registry_work() {
    let (registry, first) = tokens();
    let second = builder().start(&registry).unwrap();
    assert_ne!(first.local_addr(), second.local_addr());
    assert_eq!(scrape(&first).lines(), scrape(&second).lines());
    drop(first);
    assert_eq!(scrape(&second).value("tokens_total"), Some(5.0));
}

#[test]
fn the_exporter_keeps_what_it_exports() {
    let (registry, exporter) = tokens();
    drop(registry);
    assert_eq!(scrape(&exporter).value("tokens_total"), Some(5.0));
}

#[test]
fn ipv6_addresses_work() {
    if TcpListener::bind("[::1]:0").is_err() {
        eprintln!("skipped: this machine has no IPv6");
        return;
    }
    let exporter = Exporter::builder().listen("[::1]:0").start(&Registry::new()).unwrap();
    assert!(exporter.local_addr().is_ipv6() && exporter.local_addr().port() != 0);
    scrape(&exporter);
}

#[test]
fn a_taken_port_is_an_error_that_says_what_to_do() {
    let (registry, first) = tokens();
    let address = first.local_addr().to_string();
    let error = Exporter::builder().listen(&address).start(&registry).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::System);
    let text = error.to_string();
    for part in [address.as_str(), "taken", "port 0", "find the process"] {
        assert!(text.contains(part), "{text}");
    }
    assert_eq!(scrape(&first).value("tokens_total"), Some(5.0));
}

#[test]
fn a_start_that_fails_keeps_no_name() {
    let (registry, first) = tokens();
    let told = || Exporter::builder().target_info(Resource::new().service("llm"));
    let long = format!("unix:/{}", "x".repeat(200));
    for address in [first.local_addr().to_string(), "192.0.2.1:0".to_owned(), long] {
        assert_ne!(told().listen(address).start(&registry).unwrap_err().kind(), ErrorKind::Conflict);
    }
    #[cfg(feature = "tls")]
    told().listen("127.0.0.1:0").web_config("/none/web.yml").start(&registry).unwrap_err();
    registry.gauge("target").build().unwrap();
    registry.gauge("target_info").build().unwrap();
    // Nor does one that fails by these names stay.
    let error = told().listen("127.0.0.1:0").start(&registry).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    #[cfg(unix)]
    {
        let directory = Directory::new("names");
        let path = directory.0.join("metrics.sock");
        told().listen(format!("unix:{}", path.display())).start(&registry).unwrap_err();
        assert!(!path.exists());
    }
}

#[test]
fn settings_that_cannot_be_served_are_errors() {
    let registry = Registry::new();
    let start = |builder: ExporterBuilder| builder.start(&registry).map(|_| ()).unwrap_err();
    for address in ["nonsense", "127.0.0.1", "", ":9464", "300.1.1.1:1"] {
        let error = start(Exporter::builder().listen(address));
        assert_eq!(error.kind(), ErrorKind::Setting);
        assert!(error.to_string().contains(&format!("{address:?}")) && error.to_string().contains("127.0.0.1:9464"));
    }
    // An address of no interface here: it is kept for documentation.
    let error = start(Exporter::builder().listen("192.0.2.1:0")).to_string();
    assert!(error.contains("192.0.2.1:0") && error.contains("no interface"), "{error}");
    let zero = Duration::ZERO;
    for (name, builder) in [
        ("connections_max", builder().connections_max(0)),
        ("scrapes_max", builder().scrapes_max(0)),
        ("scrape_timeout", builder().scrape_timeout(zero)),
        ("header_timeout", builder().header_timeout(zero)),
        ("idle_timeout", builder().idle_timeout(zero)),
        ("response_timeout", builder().response_timeout(zero)),
    ] {
        let error = start(builder);
        assert_eq!(error.kind(), ErrorKind::Setting);
        assert!(error.to_string().contains(name), "{error}");
    }
    let most = Duration::MAX;
    let generous = builder().connections_max(usize::MAX).scrapes_max(usize::MAX).scrape_timeout(most);
    let generous = generous.header_timeout(most).idle_timeout(most).response_timeout(most);
    assert_eq!(scrape(&generous.start(&registry).unwrap()).status, 200);
}

#[test]
fn dropping_it_ends_its_connections_and_frees_the_port() {
    let exporter = builder().start(&long_page()).unwrap();
    let address = exporter.local_addr();
    let mut idle = Client::connect(&exporter);
    idle.request("GET", "/", "");
    let mut half = Client::connect(&exporter);
    half.send("GET /");
    let mut reading = Client::connect(&exporter);
    reading.send("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
    reading.0.get_mut().read_exact(&mut [0]).unwrap();
    let begun = Instant::now();
    drop(exporter);
    assert!(begun.elapsed() < millis(1000), "{:?}", begun.elapsed());
    assert!(idle.rest().is_empty() && half.rest().is_empty());
    assert!(reading.rest().len() < 12 << 20);
    assert!(TcpStream::connect(address).is_err());
    // Again on the same port, at once.
    let again = Exporter::builder().listen(address.to_string()).start(&Registry::new()).unwrap();
    assert_eq!(again.local_addr(), address);
    scrape(&again);
}

#[test]
fn it_may_be_kept_in_a_static() {
    fn is_static<T: Send + Sync + 'static>() {}
    is_static::<Exporter>();
    is_static::<ExporterBuilder>();
}

#[test]
fn its_threads_end_with_it() {
    let names = || -> Vec<String> {
        let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
        let names = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok());
        names.map(|name| name.trim_end().to_owned()).collect()
    };
    // Other tests have exporters too: so many at once are only here.
    let count = || names().iter().filter(|name| *name == "tach-exporter").count();
    let registry = Registry::new();
    let exporters: Vec<_> = (0..100).map(|_| builder().start(&registry).unwrap()).collect();
    if cfg!(target_os = "linux") {
        assert!(count() >= 100);
    }
    drop(exporters);
    assert!(count() < 60);
}

#[test]
fn it_may_be_started_and_dropped_in_asynchronous_code() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (_registry, exporter) = tokens();
        assert_eq!(scrape(&exporter).value("tokens_total"), Some(5.0));
        drop(exporter);
        assert!(Exporter::builder().listen("nonsense").start(&Registry::new()).is_err());
        let moved = tokens();
        tokio::spawn(async move { drop(moved) }).await.unwrap();
    });
}

#[test]
fn it_may_be_dropped_by_the_destructor_of_a_thread_local() {
    thread_local! {
        static KEPT: std::cell::RefCell<Option<(Registry, Exporter)>> = const { std::cell::RefCell::new(None) };
    }
    let address = std::thread::spawn(|| {
        let kept = tokens();
        let address = kept.1.local_addr();
        assert_eq!(scrape(&kept.1).value("tokens_total"), Some(5.0));
        KEPT.with(|slot| *slot.borrow_mut() = Some(kept));
        address
    })
    .join()
    .unwrap();
    assert!(TcpStream::connect(address).is_err());
}
