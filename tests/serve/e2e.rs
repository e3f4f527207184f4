//! A server with a chat endpoint, the clients that it has, and who scrapes it: end to end, as MAX serve is tested.

use crate::page::{Page, scrape};
use crate::{client::Client, settings, turn};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};
use tach::serve::{
    BatchType, Component, Finish, METRICS, Objectives, Profile, RequestTimer, Serving, StepStats, StepTimer, Turn,
};

const MODEL: &str = "mock/Parrot-1B";
const CHAT: &str = "/v1/chat/completions";

/// The API: answers each prompt with as many tokens as are asked for.
struct Api {
    address: SocketAddr,
}

impl Api {
    fn start() -> Self {
        METRICS.model_load_time(Duration::from_millis(1_200), Component::Compile);
        METRICS.model_load_time(Duration::from_millis(1_500), Component::Total);
        METRICS.pipeline_load(MODEL);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        // Ends with the test program, in `accept`.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                std::thread::spawn(move || serve(stream.unwrap()));
            }
        });
        Self { address }
    }

    fn post(&self, path: &str, body: &str) -> (u16, String) {
        let mut client = Client::connect_to(self.address);
        client.send(&format!("POST {path} HTTP/1.1\r\nContent-Length: {}\r\n\r\n{body}", body.len()));
        let response = client.receive(false).unwrap();
        (response.status, response.text().to_owned())
    }
}

/// One connection with one request: what middleware does, and around it the route.
fn serve(stream: TcpStream) {
    let began = Instant::now();
    let mut reader = BufReader::new(stream);
    let (path, body) = read(&mut reader);
    let (status, body) = route(&path, &body);
    // A path that is no route is one series, whatever it is.
    let route = if status == 404 { "other" } else { &path };
    METRICS.request_count(status, route);
    METRICS.request_time(began.elapsed(), route);
    let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    reader.get_mut().write_all((head + &body).as_bytes()).unwrap();
}

fn read(reader: &mut BufReader<TcpStream>) -> (String, String) {
    let (mut path, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        match line.trim_end().split_once(": ") {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => length = value.parse().unwrap(),
            None if line.trim_end().is_empty() => break,
            None => path = line.split(' ').nth(1).unwrap().to_owned(),
            Some(_) => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    (path, String::from_utf8(body).unwrap())
}

/// The part of a JSON text after a key, up to what ends a simple value.
fn field<'a>(json: &'a str, key: &str) -> &'a str {
    let (_, rest) = json.split_once(&format!("\"{key}\":")).unwrap_or_else(|| panic!("no {key} in {json}"));
    rest.trim_start().trim_start_matches('"').split(['"', ',', '}']).next().unwrap()
}

fn route(path: &str, body: &str) -> (u16, String) {
    if path != CHAT {
        return (404, "{}".to_owned());
    }
    let mut request = RequestTimer::arrived(&METRICS);
    let prompt = field(body, "content").split_whitespace().count() as u64;
    let most: u64 = field(body, "max_tokens").parse().unwrap();
    request.input(prompt, Turn::First);
    request.admitted();
    request.scheduled();
    let mut steps = StepTimer::new(&METRICS);
    for token in 0..most {
        let batch = if token == 0 { BatchType::Prefill } else { BatchType::Decode };
        let mut step = steps.step();
        step.token(&mut request);
        step.end(&StepStats { kv_blocks: Some((token + 1, 100)), ..StepStats::new(batch, 1) });
    }
    request.finished(Finish::Length);
    let usage = format!("{{\"prompt_tokens\":{prompt},\"completion_tokens\":{most}}}");
    (200, format!("{{\"model\":\"{MODEL}\",\"usage\":{usage}}}"))
}

fn ask(words: usize, tokens: u64) -> String {
    let content = vec!["joke"; words].join(" ");
    format!(
        "{{\"messages\":[{{\"role\":\"user\",\"content\":\"{content}\"}}],\"stream\":false,\"max_tokens\":{tokens}}}"
    )
}

/// Sends five requests, and gives the sums of what their responses say they used.
fn traffic(api: &Api) -> (f64, f64) {
    let (mut prompt, mut completion) = (0.0, 0.0);
    for (words, tokens) in [(4, 3), (1, 3), (9, 1), (30, 3), (2, 7)] {
        let (status, body) = api.post(CHAT, &ask(words, tokens));
        assert_eq!(status, 200);
        prompt += field(&body, "prompt_tokens").parse::<f64>().unwrap();
        completion += field(&body, "completion_tokens").parse::<f64>().unwrap();
    }
    (prompt, completion)
}

fn serving(profiles: &[Profile]) -> Serving {
    let mut settings = settings();
    settings.profiles = profiles.to_vec();
    settings.identity.model = MODEL.to_owned();
    settings.objectives = Objectives { ttft: Some(Duration::from_secs(600)), ..Objectives::default() };
    tach::serve::start(&settings).unwrap()
}

#[test]
fn before_traffic_there_are_zeros_and_what_the_start_up_took() {
    let _turn = turn();
    let serving = serving(&[Profile::MaxServe]);
    let _api = Api::start();
    let page = scrape(&serving);
    for (series, value) in page.samples() {
        let is_start_up =
            ["maxserve_model_load_time", "maxserve_pipeline_load"].iter().any(|of| series.starts_with(of));
        let is_awake = series.contains("\"awake\"") || series.starts_with("process_");
        assert!(is_start_up || is_awake || value == 0.0, "{series} is {value}");
    }
    assert!(page.0.contains(&format!("\nmaxserve_pipeline_load_total{{model=\"{MODEL}\"}} 1\n")));
    let sum =
        |component| page.value(&format!("maxserve_model_load_time_milliseconds_sum{{component=\"{component}\"}}"));
    assert_eq!((sum("total"), sum("compile"), sum("init")), (Some(1_500.0), Some(1_200.0), Some(0.0)));
    // What has no labels, or closed ones, is there; what has open ones is not.
    for there in ["num_input_tokens_total", "time_to_first_token_milliseconds_count", "num_requests_running"] {
        assert_eq!(page.values(&format!("maxserve_{there}")), [0.0]);
    }
    assert!(page.values("maxserve_request_time_milliseconds_count").is_empty());
}

#[test]
fn after_traffic_the_totals_are_what_the_responses_say() {
    let _turn = turn();
    let serving = serving(&[Profile::MaxServe]);
    let api = Api::start();
    let (prompt, completion) = traffic(&api);
    assert_eq!((prompt, completion), (46.0, 17.0));
    assert_eq!(api.post("/wp-login.php", "").0, 404);

    let page = scrape(&serving);
    assert_eq!(page.sum("maxserve_input_tokens_per_request_tokens_count"), 5.0);
    assert_eq!(page.sum("maxserve_num_input_tokens_total"), prompt);
    assert_eq!(page.sum("maxserve_input_tokens_per_request_tokens_sum"), prompt);
    assert_eq!(page.sum("maxserve_num_output_tokens_total"), completion);
    assert_eq!(page.sum("maxserve_output_tokens_per_request_tokens_sum"), completion);
    assert_eq!(page.value(&format!("maxserve_request_count_total{{code=\"200\",path=\"{CHAT}\"}}")), Some(5.0));
    assert_eq!(page.value("maxserve_request_count_total{code=\"404\",path=\"other\"}"), Some(1.0));
    assert_eq!(page.sum("maxserve_request_time_milliseconds_count"), 6.0);
    assert_eq!(page.sum("maxserve_time_to_first_token_milliseconds_count"), 5.0);
    assert_eq!(page.sum("maxserve_itl_milliseconds_count"), completion - 5.0);
    // A request of one token has no time per token after the first.
    assert_eq!(page.sum("maxserve_time_per_output_token_milliseconds_count"), 4.0);
    assert_eq!(page.value("maxserve_batch_size_count{batch_type=\"CE\"}"), Some(5.0));
    assert_eq!(page.value("maxserve_batch_size_count{batch_type=\"TG\"}"), Some(completion - 5.0));
    assert_eq!(page.value("maxserve_cache_num_total_blocks"), Some(100.0));
    assert_eq!(page.value("maxserve_requests_finished_total{finished_reason=\"length\"}"), Some(5.0));
    assert_eq!(page.value("maxserve_requests_good_total"), Some(5.0));
    assert_eq!(page.value("maxserve_num_requests_running"), Some(0.0));
    assert!(page.0.contains(&format!("\nmaxserve_pipeline_load_total{{model=\"{MODEL}\"}} 1\n")));
    check_buckets(&page);
}

/// That every histogram's last bucket is its count, and no bucket is below the one before.
fn check_buckets(page: &Page) {
    let mut last: BTreeMap<String, (f64, bool)> = BTreeMap::new();
    for (series, value) in page.samples() {
        let Some((name, labels)) = series.split_once("_bucket{") else { continue };
        let (others, le) = labels.trim_end_matches('}').rsplit_once("le=\"").unwrap();
        let key = format!("{name}_count{{{}", others.trim_end_matches(','));
        let before = last.insert(key, (value, le == "+Inf\"")).unwrap_or_default();
        assert!(value >= before.0 && !before.1, "{series}");
    }
    assert!(last.len() > 50);
    for (key, (value, is_last)) in last {
        let series = if key.ends_with('{') { key.trim_end_matches('{').to_owned() } else { format!("{key}}}") };
        assert!(is_last, "{series}");
        assert_eq!(page.value(&series), Some(value), "{series}");
    }
}

#[test]
fn other_names_show_the_same_requests() {
    let _turn = turn();
    let serving = serving(&[Profile::Vllm, Profile::Sglang]);
    let api = Api::start();
    let labels = format!("{{model_name=\"{MODEL}\",engine=\"0\"}}");
    let value = |page: &Page, name: &str| page.value(&format!("{name}{labels}"));
    let before = scrape(&serving);
    assert_eq!(value(&before, "vllm:num_requests_running"), Some(0.0));
    assert_eq!(value(&before, "vllm:prompt_tokens_total"), Some(0.0));
    let (prompt, completion) = traffic(&api);
    let page = scrape(&serving);
    assert_eq!(value(&page, "vllm:prompt_tokens_total"), Some(prompt));
    assert_eq!(value(&page, "vllm:generation_tokens_total"), Some(completion));
    assert_eq!(value(&page, "vllm:time_to_first_token_seconds_count"), Some(5.0));
    assert_eq!(page.sum("sglang:prompt_tokens_total"), prompt);
    assert!(page.samples().all(|(series, _)| !series.starts_with("maxserve")));
    // A snapshot shows what a scrape does, under the names that the page has.
    assert!(serving.shutdown().counter("maxserve.num_input_tokens", &[]).is_none());
}

#[test]
fn with_telemetry_disabled_the_api_works_and_nobody_listens() {
    let _turn = turn();
    let mut settings = settings();
    settings.disabled = true;
    settings.port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let serving = tach::serve::start(&settings).unwrap();
    let api = Api::start();
    assert_eq!(traffic(&api), (46.0, 17.0));
    let refused = TcpStream::connect(("127.0.0.1", settings.port)).unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    assert_eq!(serving.snapshot().counter("maxserve.num_input_tokens", &[]), None);
}
