//! What is recorded when a request ends: the response, and what became of tools and formats.

use crate::account::{BARE, Book, by};
use crate::engine::{End, mix};
use crate::trace::Request;
use std::time::Duration;
use tach::serve::{Metrics, ResponseError, ToolCallError};

const PATHS: [&str; 3] = ["/v1/chat/completions", "/v1/completions", "/v1/responses"];

pub(super) fn request(m: &Metrics, b: &mut impl Book, request: &Request, end: End, now: u64) {
    let i = request.index;
    let path = PATHS[(i % 3) as usize];
    let (code, code_text) = match end {
        End::Error => (500, "500"),
        End::Abort => (499, "499"),
        _ => (200, "200"),
    };
    m.request_count(code, path);
    b.count("request_count", [("code", code_text), ("path", path)], 1);
    let took = now - request.at + 150_000;
    m.request_time(Duration::from_nanos(took), path);
    b.value("request_time", by("path", path), took);

    let seed = mix(i);
    m.response_queue_time(Duration::from_nanos(seed % 1_500_000));
    b.value("response_queue_time", BARE, seed % 1_500_000);
    m.responses_buffered(1.0 + (i % 50) as f64);
    b.last("num_responses_buffered", BARE, 1.0 + (i % 50) as f64);
    m.responses_buffered_dist(i % 50);
    b.value("responses_buffered", BARE, i % 50);
    m.requests_awaiting_admission_dist(i % 11);
    b.value("requests_awaiting_admission", BARE, i % 11);
    if i % 4 == 2 {
        m.tool_call_responses();
        b.count("tool_call.responses", BARE, 1);
        let (error, text) = match i % 3 {
            0 => (ToolCallError::InvalidJson, "invalid_json"),
            1 => (ToolCallError::UnknownTool, "unknown_tool"),
            _ => (ToolCallError::SchemaMismatch, "schema_mismatch"),
        };
        m.tool_call_conformance_error(error);
        b.count("tool_call.conformance_errors", by("outcome", text), 1);
    }
    if i % 8 == 3 {
        m.response_format_conformance_error(ResponseError::SchemaMismatch);
        b.count("response_format.conformance_errors", by("outcome", "schema_mismatch"), 1);
    }
    disaggregated(m, b, seed);
}

/// As if prefill ran on a node of its own.
fn disaggregated(m: &Metrics, b: &mut impl Book, seed: u64) {
    let nanos = |salt: u64, limit: u64| mix(seed ^ salt) % limit;
    let mut time = |name, record: fn(&Metrics, Duration), nanos| {
        record(m, Duration::from_nanos(nanos));
        b.value(name, BARE, nanos);
    };
    let queue = Metrics::di_decode_admission_queue_wait_time;
    time("di.decode_admission_queue_wait_time", queue, nanos(1, 30_000_000));
    time("di.decode_send_time", Metrics::di_decode_send_time, nanos(2, 900_000));
    time("di.dispatch_rtt", Metrics::di_dispatch_rtt, nanos(3, 4_000_000));
    time("di.prefill_span", Metrics::di_prefill_span, nanos(4, 700_000_000));
    time("di.reply_rtt", Metrics::di_reply_rtt, nanos(5, 4_000_000));
    time("di.prefill_queue_wait_time", Metrics::di_prefill_queue_wait_time, nanos(6, 300_000_000));
    time("di.decode_postprocess_time", Metrics::di_decode_postprocess_time, nanos(7, 600_000));
    time("di.early_sync_time", Metrics::di_early_sync_time, nanos(8, 50_000));
    time("di.handoff_to_first_token_time", Metrics::di_handoff_to_first_token_time, nanos(9, 90_000_000));
}
