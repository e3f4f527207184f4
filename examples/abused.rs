//! A server's metrics, and a thread that records to them and takes the time of each recording: for the checks in
//! `tests/abuse/`, which tell what it is asked on its input, a line at a time, and read a line of JSON for each.
//!
//! ```text
//! abused              tells at first where it listens, and how long a page is
//! record SECONDS      records for so long, and tells in how many nanoseconds shares of the recordings were made, how many
//!                     each took of a processor, and how often the thread waited
//! cost                tells in how many seconds a page is collected and rendered, and scraped
//! ```

use serde_json::{Value, json};
use std::hint::black_box;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};
use tach::{Counter, Error, Exporter, Histogram, Registry, Unit, text};

/// A page of some hundred kilobytes, as that of a server with several models.
const HISTOGRAMS: usize = 200;
const COUNTERS: usize = 1_000;
/// So many times each is done for its cost.
const ROUNDS: usize = 60;

struct Abused {
    registry: Registry,
    exporter: Exporter,
    itl: Vec<Histogram>,
    tokens: Vec<Counter>,
}

impl Abused {
    fn new() -> Result<Self, Error> {
        let registry = Registry::new();
        let itl = registry.histogram("itl").unit(Unit::Seconds).help("Time between tokens.").labels(["series"]);
        let itl = itl.buckets([0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0]).build()?;
        let tokens = registry.counter("tokens").help("Tokens.").labels(["series"]).build()?;
        let series = |n: usize| format!("series-{n}");
        let itl: Vec<_> = (0..HISTOGRAMS).map(|n| itl.with([series(n).as_str()])).collect();
        for (n, histogram) in (1..).zip(&itl) {
            (0..100).for_each(|k| histogram.record(n * k * 20_011 % 900_000_000));
        }
        let tokens = (0..COUNTERS).map(|n| tokens.with([series(n).as_str()])).collect();
        let exporter = Exporter::builder().listen("127.0.0.1:0").start(&registry)?;
        Ok(Self { registry, exporter, itl, tokens })
    }

    fn hello(&self) -> Value {
        let page = text::render(&self.registry.snapshot()).len();
        json!({"address": self.exporter.local_addr().to_string(), "page": page})
    }

    /// Records without pause, as no server would, so that there are many recordings to look at.
    fn record(&self, time: Duration) -> Result<Value, Box<dyn std::error::Error>> {
        let taken = Registry::new();
        let nanos = taken.histogram("nanos").max(1e10).build()?;
        let (end, mut value) = (Instant::now() + time, 1_u64);
        let before = Spent::read()?;
        let mut last = Instant::now();
        while last < end {
            for (itl, tokens) in self.itl.iter().zip(&self.tokens) {
                value = value.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
                let start = Instant::now();
                itl.record(black_box(value >> 38));
                tokens.inc();
                last = Instant::now();
                nanos.record((last - start).as_nanos() as u64);
            }
        }
        let after = Spent::read()?;
        let taken = taken.snapshot();
        let Some(taken) = taken.histogram("nanos", &[]) else { return Ok(Value::Null) };
        let quantile = |q| taken.quantile(q);
        Ok(json!({
            "recordings": taken.count(), "p50": quantile(0.5), "p99": quantile(0.99), "p99.9": quantile(0.999),
            "p99.99": quantile(0.9999), "max": taken.max(),
            "processor": (after.processor - before.processor) as f64 / taken.count() as f64,
            "waits": after.waits - before.waits,
        }))
    }

    /// Both in turns, and of each the quickest, which is the one that nothing else on the machine came in between.
    fn cost(&self) -> std::io::Result<Value> {
        let mut connection = Connection::new(self.exporter.local_addr())?;
        let (mut page, mut rendered, mut scraped) = (String::new(), f64::INFINITY, f64::INFINITY);
        for _ in 0..ROUNDS {
            // Something has changed since, in all of them.
            self.itl.iter().for_each(|itl| itl.record(1_000_000));
            let start = Instant::now();
            page.clear();
            text::render_into(&self.registry.snapshot(), &mut page);
            rendered = rendered.min(start.elapsed().as_secs_f64());
            self.itl.iter().for_each(|itl| itl.record(1_000_000));
            let start = Instant::now();
            let length = connection.scrape()?;
            scraped = scraped.min(start.elapsed().as_secs_f64());
            assert!(length >= page.len(), "{length} bytes were scraped of a page of {}", page.len());
        }
        Ok(json!({"render": rendered, "scrape": scraped}))
    }
}

/// What the thread has spent so far, as Linux says.
struct Spent {
    /// Nanoseconds on a processor: what others run there meanwhile does not count.
    processor: u64,
    /// How often it went off by itself: for a lock, a pipe, a page to be read. Being displaced does not count.
    waits: u64,
}

impl Spent {
    fn read() -> std::io::Result<Self> {
        let number =
            |text: Option<&str>| text.and_then(|text| text.trim().parse().ok()).ok_or(std::io::ErrorKind::InvalidData);
        let processor = std::fs::read_to_string("/proc/thread-self/schedstat")?;
        let status = std::fs::read_to_string("/proc/thread-self/status")?;
        let waits = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        Ok(Self { processor: number(processor.split(' ').next())?, waits: number(waits)? })
    }
}

/// A scraper's connection, which it keeps.
struct Connection {
    stream: BufReader<TcpStream>,
    body: Vec<u8>,
}

impl Connection {
    fn new(address: SocketAddr) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::with_capacity(1 << 18, stream), body: Vec::new() })
    }

    /// Asks for the text format, plain, and reads the whole answer.
    fn scrape(&mut self) -> std::io::Result<usize> {
        self.stream.get_mut().write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
        let (mut line, mut length) = (String::new(), 0);
        while line != "\r\n" {
            line.clear();
            self.stream.read_line(&mut line)?;
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or(0);
            }
        }
        self.body.resize(length, 0);
        self.stream.read_exact(&mut self.body)?;
        Ok(length)
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let abused = Abused::new()?;
    println!("{}", abused.hello());
    for line in std::io::stdin().lines() {
        let line = line?;
        let answer = match line.split_whitespace().collect::<Vec<_>>()[..] {
            ["record", seconds] => abused.record(Duration::from_secs_f64(seconds.parse()?))?,
            ["cost"] => abused.cost()?,
            _ => return Err(format!("{line:?} is nothing to ask for: record SECONDS, or cost").into()),
        };
        println!("{answer}");
    }
    Ok(())
}
