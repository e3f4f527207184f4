//! The names of OpenTelemetry's conventions for generative AI, as Prometheus has them.

use super::Identity;
use super::rows::{Row, table};
use crate::collect::view::{Rule, ViewFamily};
use std::borrow::Cow;

const DURATION: [f64; 14] = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92];
const TPOT: [f64; 13] = [0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5];
const TTFT: [f64; 16] = [0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];
/// Powers of four.
const TOKENS: [f64; 14] = [
    1.0,
    4.0,
    16.0,
    64.0,
    256.0,
    1024.0,
    4096.0,
    16_384.0,
    65_536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
];

pub(super) fn families(identity: &Identity) -> Vec<ViewFamily> {
    let constant = [
        ("gen_ai_operation_name", "chat"),
        ("gen_ai_provider_name", "tach"),
        ("gen_ai_request_model", identity.model.as_str()),
    ];
    table(&constant, server().into_iter().chain(client()))
}

/// Time from arrival to end; with an error type where it failed.
fn duration(name: &'static str) -> Row {
    Row::seconds(
        name,
        "Time from a request's arrival to its end, in seconds; of one that failed, with its error type.",
        &DURATION,
    )
    .by(&["error_type"])
    .part("maxserve.request_latency", &[], &[Rule::Mapped("finished_reason", error_type)])
}

fn server() -> [Row; 3] {
    [
        duration("gen_ai.server.request.duration"),
        Row::seconds(
            "gen_ai.server.time_per_output_token",
            "Mean time per output token of a request after its first, in seconds, once per request of two tokens or more.",
            &TPOT,
        )
        .of("maxserve.time_per_output_token"),
        Row::seconds(
            "gen_ai.server.time_to_first_token",
            "Time from a request's arrival to its first token, in seconds.",
            &TTFT,
        )
        .of("maxserve.time_to_first_token"),
    ]
}

/// A client of the server would see the same, but for the network.
fn client() -> [Row; 4] {
    [
        Row::sizes(
            "gen_ai.client.token.usage",
            "Tokens of a request, those of its input and those of its output.",
            &TOKENS,
        )
        .by(&["gen_ai_token_type"])
        .part("maxserve.input_tokens_per_request", &[], &[Rule::Constant("input")])
        .part("maxserve.output_tokens_per_request", &[], &[Rule::Constant("output")]),
        duration("gen_ai.client.operation.duration"),
        Row::seconds(
            "gen_ai.client.operation.time_to_first_chunk",
            "Time from a request's arrival to its first output event, in seconds.",
            &DURATION,
        )
        .of("maxserve.time_to_first_token"),
        Row::seconds(
            "gen_ai.client.operation.time_per_output_chunk",
            "Inter-token latency per gap, in seconds: one value for each output event after a request's first, however \
             many tokens it brings.",
            &DURATION,
        )
        .of("maxserve.itl"),
    ]
}

/// Empty, which is no label, for requests that ended as they should.
fn error_type(finished_reason: &str) -> Option<Cow<'static, str>> {
    Some(match finished_reason {
        "stop" | "length" => "".into(),
        reason => reason.to_owned().into(),
    })
}
