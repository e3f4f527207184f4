//! The command line.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;

use clap::Parser;
use tach::serve::Settings;

/// Where `scripts/demo` puts the model.
const MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/model/SmolLM2-135M-Instruct.Q4_1.gguf");

/// Generates text with a small language model and measures itself with tach while it does.
///
/// Ends after --tokens generated tokens or on Ctrl-C, then prints what it measured.
#[derive(Parser, Debug, Clone)]
#[command(name = "smollm2", version, max_term_width = 100)]
pub(crate) struct Options {
    /// The model: a GGUF file of the llama architecture
    #[arg(long, value_name = "PATH", default_value = MODEL, hide_default_value = true)]
    pub(crate) model: PathBuf,

    /// Needs no model: streams sleep a few milliseconds per token and say fixed words
    #[arg(long, conflicts_with = "model")]
    pub(crate) mock: bool,

    /// Requests that generate at the same time, each with a KV cache of its own
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = at_most::<64>)]
    pub(crate) streams: usize,

    /// Worker threads that share the streams of a step
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = at_most::<64>)]
    pub(crate) threads: usize,

    /// Model-worker processes: each has a model and streams of its own, this one is the API before them, and all record to
    /// segments, which `tach collect` serves; 0 for one process that does all
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = processes,
        conflicts_with_all = ["threads", "listen", "metrics_off"])]
    pub(crate) workers: usize,

    /// Seconds after which a worker that has died is started again
    #[arg(long, value_name = "S", default_value_t = 1, requires = "workers")]
    pub(crate) restart_after: u32,

    /// Write the plain account there when the run ends: a line for each sample, with the least and the most that it may be
    #[arg(long, value_name = "PATH", requires = "workers")]
    pub(crate) account: Option<PathBuf>,

    /// Be a worker of this number, which takes its orders from standard input
    #[arg(long, value_name = "N", hide = true)]
    pub(crate) worker: Option<usize>,

    /// Clients, each with one request under way; more of them than streams wait in the queue [default: 2 × streams, of
    /// all workers]
    #[arg(long = "clients", value_name = "N", value_parser = at_most::<4096>)]
    clients: Option<usize>,

    /// Tokens to generate over all streams before the run ends; 0 for no end but Ctrl-C
    #[arg(long, value_name = "N", default_value_t = 600)]
    pub(crate) tokens: u64,

    /// Tokens that one request may generate
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = at_most::<2048>)]
    pub(crate) max_tokens: usize,

    /// Sampling temperature; 0 takes the likeliest token
    #[arg(long, value_name = "T", default_value_t = 0.6, value_parser = temperature)]
    pub(crate) temperature: f64,

    /// Sample among the likeliest tokens that together have this probability
    #[arg(long, value_name = "P", default_value_t = 0.9, value_parser = probability)]
    pub(crate) top_p: f64,

    /// Seed of the sampling: the same seed gives every request the same text
    #[arg(long, value_name = "N", default_value_t = 42)]
    pub(crate) seed: u64,

    /// Keep weights in the form in which the file stores them, also where candle computes slowly with it
    #[arg(long)]
    pub(crate) weights_as_stored: bool,

    /// Address of /metrics; port 0 takes any free one, "none" serves nothing [default: as the environment says, or
    /// 127.0.0.1:8001]
    #[arg(long, value_name = "ADDR", value_parser = listen)]
    pub(crate) listen: Option<Listen>,

    /// Whose names /metrics shows: maxserve, maxserve-gone, vllm, sglang, genai, with commas between [default: as
    /// TACH_PROFILE says, or maxserve]
    #[arg(long, value_name = "NAMES", value_parser = profile)]
    pub(crate) profile: Option<String>,

    /// Record nothing and serve nothing, to compare the speed
    #[arg(long)]
    pub(crate) metrics_off: bool,

    /// Print the prompt and the generated text of each request when it ends
    #[arg(long)]
    pub(crate) show_text: bool,
}

impl Options {
    /// What the model is called where the environment does not say: its file's name without the ending.
    pub(crate) fn model_name(&self) -> String {
        if self.mock {
            return "mock".to_owned();
        }
        self.model.file_stem().map_or_else(|| "model".to_owned(), |stem| stem.to_string_lossy().into_owned())
    }

    /// Clients with a request under way.
    pub(crate) fn clients(&self) -> usize {
        self.clients.unwrap_or(2 * self.streams * self.workers.max(1))
    }

    /// One line that names what was run, for the report.
    pub(crate) fn run_label(&self) -> String {
        let (streams, clients) = (self.streams, self.clients());
        match self.workers {
            0 => format!("{streams} streams, {} threads, {clients} clients", self.threads),
            workers => format!("{workers} worker processes of {streams} streams, {clients} clients"),
        }
    }
}

/// What `--listen` asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Listen {
    /// Serve nothing.
    Off,
    /// Serve here.
    At(SocketAddr),
}

fn listen(text: &str) -> Result<Listen, String> {
    if text == "none" {
        return Ok(Listen::Off);
    }
    let address = text.to_socket_addrs().ok().and_then(|mut addresses| addresses.next());
    address.map(Listen::At).ok_or_else(|| "not an address such as 127.0.0.1:8001, nor \"none\"".to_owned())
}

/// As the environment's variable, which has the same values.
fn profile(text: &str) -> Result<String, String> {
    Settings::from_vars([("TACH_PROFILE", text)]).map(|_| text.to_owned()).map_err(|error| error.to_string())
}

fn at_most<const MAX: usize>(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|n| (1..=MAX).contains(n)).ok_or_else(|| format!("not a number from 1 to {MAX}"))
}

fn processes(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|n| *n <= 16).ok_or_else(|| "not a number from 0 to 16".to_owned())
}

fn temperature(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|t| (0.0..=10.0).contains(t)).ok_or_else(|| "not a number from 0 to 10".to_owned())
}

fn probability(text: &str) -> Result<f64, String> {
    let in_range = |p: &f64| *p > 0.0 && *p <= 1.0;
    text.parse().ok().filter(in_range).ok_or_else(|| "not a number above 0 and up to 1".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Options, clap::Error> {
        Options::try_parse_from([&["smollm2"], arguments].concat())
    }

    #[test]
    fn the_defaults_stand_and_the_definition_is_sound() {
        use clap::CommandFactory;
        Options::command().debug_assert();
        let options = parse(&[]).unwrap();
        assert_eq!((options.streams, options.threads, options.clients(), options.tokens), (4, 2, 8, 600));
        assert_eq!((options.listen, options.profile), (None, None));
    }

    #[test]
    fn listen_takes_an_address_or_none() {
        assert_eq!(parse(&["--listen", "none"]).unwrap().listen, Some(Listen::Off));
        let six = Listen::At("[::1]:0".parse().unwrap());
        assert_eq!(parse(&["--listen", "[::1]:0"]).unwrap().listen, Some(six));
        assert!(parse(&["--listen", "9464"]).unwrap_err().to_string().contains("not an address"));
    }

    #[test]
    fn workers_have_no_server_of_their_own() {
        let options = parse(&["--workers", "2", "--streams", "3", "--account", "a"]).unwrap();
        assert_eq!((options.workers, options.clients(), options.restart_after), (2, 12, 1));
        for bad in ["--workers 2 --listen none", "--workers 2 --threads 1", "--account a", "--workers 17"] {
            assert!(parse(&bad.split(' ').collect::<Vec<_>>()).is_err(), "{bad}");
        }
    }

    #[test]
    fn profiles_are_those_that_there_are() {
        assert_eq!(parse(&["--profile", "vllm,genai"]).unwrap().profile.as_deref(), Some("vllm,genai"));
        let error = parse(&["--profile", "vllm,tgi"]).unwrap_err().to_string();
        assert!(error.contains("\"tgi\"") && error.contains("sglang"), "{error}");
    }

    #[test]
    fn values_out_of_range_are_refused() {
        for bad in [
            ["--streams", "0"],
            ["--threads", "65"],
            ["--clients", "x"],
            ["--max-tokens", "2049"],
            ["--temperature", "-1"],
            ["--temperature", "NaN"],
            ["--top-p", "0"],
            ["--top-p", "1.01"],
            ["--tokens", "-5"],
        ] {
            assert!(parse(&bad).is_err(), "{bad:?}");
        }
        assert!(parse(&["--mock", "--model", "x.gguf"]).is_err());
    }
}
