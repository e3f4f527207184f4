//! What is recorded once, and when a request arrives: media, tools, formats.

use crate::account::{BARE, Book, by};
use crate::engine::mix;
use crate::trace::Request;
use std::time::Duration;
use tach::serve::{
    ChatEncoder, Component, Grammar, MediaKind, MediaRejection, MediaSource, Metrics, Refusal, ResponseFormat,
    SleepState, ToolChoice,
};

/// The start-up.
pub(crate) fn load(m: &Metrics, b: &mut impl Book) {
    m.pipeline_load("mock");
    b.count("pipeline_load", by("model", "mock"), 1);
    let phases = [
        (Component::Build, "build"),
        (Component::Compile, "compile"),
        (Component::Init, "init"),
        (Component::GraphCapture, "graph_capture"),
        (Component::PinnedMemory, "pinned_memory"),
        (Component::Spawn, "spawn"),
        (Component::Total, "total"),
    ];
    for (i, (component, text)) in (1..).zip(phases) {
        m.model_load_time(Duration::from_millis(250 * i), component);
        b.value("model_load_time", by("component", text), 250_000_000 * i);
    }
    m.engine_sleep_state(1.0, SleepState::Awake);
    b.last("engine_sleep_state", by("sleep_state", "awake"), 1.0);
    m.reqs_deferred(2);
    b.level("num_requests_deferred", BARE, 2);
    m.kv_block_size(16.0);
    b.last("kv_block_size", BARE, 16.0);
    // A server that forwards what others measure has such.
    m.measurements_refused(Refusal::UnknownName);
    b.count("measurements_refused", by("reason", "unknown_name"), 1);
}

/// A request has arrived.
pub(super) fn request(m: &Metrics, b: &mut impl Book, request: &Request) {
    let i = request.index;
    m.num_input_characters(4 * request.prompt + i % 4);
    b.count("num_input_characters", BARE, 4 * request.prompt + i % 4);
    m.request_params_max_tokens(request.output + i % 7);
    b.value("request_params_max_tokens", BARE, request.output + i % 7);
    m.request_params_n(1 + i % 3);
    b.value("request_params_n", BARE, 1 + i % 3);
    let (encoder, text) =
        if i.is_multiple_of(5) { (ChatEncoder::Fallback, "fallback") } else { (ChatEncoder::Custom, "custom") };
    m.tokenizer_chat_encoder_requests(1, encoder);
    b.count("tokenizer.chat_encoder_requests", by("outcome", text), 1);
    match i % 4 {
        1 => media(m, b, i),
        2 => tools(m, b, i),
        3 => format(m, b, i),
        _ => {}
    }
}

const KINDS: [(MediaKind, &str); 2] = [(MediaKind::Image, "image"), (MediaKind::Video, "video")];
const SOURCES: [(MediaSource, &str); 3] =
    [(MediaSource::Inline, "inline"), (MediaSource::Url, "url"), (MediaSource::File, "file")];
const FORMATS: [&str; 3] = ["png", "jpeg", "webp"];
const REJECTIONS: [(MediaRejection, &str); 4] = [
    (MediaRejection::FetchTimeout, "fetch_timeout"),
    (MediaRejection::SsrfBlocked, "ssrf_blocked"),
    (MediaRejection::OverBudget, "over_budget"),
    (MediaRejection::Undecodable, "undecodable"),
];

fn media(m: &Metrics, b: &mut impl Book, i: u64) {
    let seed = mix(i);
    let (kind, kind_text) = KINDS[(seed % 2) as usize];
    let (source, source_text) = SOURCES[(seed / 2 % 3) as usize];
    let by_kind = by("media_kind", kind_text);
    let bytes = 900 + seed % 30_000_000;
    m.media_items(kind, source);
    b.count("media.items", [("media_kind", kind_text), ("source", source_text)], 1);
    m.media_resolve_time(Duration::from_nanos(seed % 90_000_000), source);
    b.value("media.resolve_time", by("source", source_text), seed % 90_000_000);
    m.media_item_size(bytes, kind);
    b.value("media.item_size", by_kind, bytes);
    m.media_items_per_request(1 + i % 4, kind);
    b.value("media.items_per_request", by_kind, 1 + i % 4);
    m.media_preprocess_cache_evictions(i % 2, kind);
    b.count("media.preprocess_cache_evictions", by_kind, i % 2);
    m.media_preprocess_cache_size(bytes as f64, kind);
    b.last("media.preprocess_cache_size", by_kind, bytes as f64);
    m.media_preprocess_cache_capacity(1e9, kind);
    b.last("media.preprocess_cache_capacity", by_kind, 1e9);
    if i.is_multiple_of(3) {
        let (reason, text) = REJECTIONS[(seed / 6 % 4) as usize];
        m.media_rejections(reason);
        b.count("media.rejections", by("reason", text), 1);
    }

    let format = FORMATS[(seed / 24 % 3) as usize];
    let by_format = by("format", format);
    let pixels = 1 + seed % 40_000_000;
    m.media_image_size(pixels, format);
    b.value("media.image_size", by_format, pixels);
    m.media_image_decodes(format);
    b.count("media.image_decodes", by_format, 1);
    m.media_image_decode_ms(1 + pixels / 1_000_000, format);
    b.count("media.image_decode_ms", by_format, 1 + pixels / 1_000_000);
    m.vision_preprocess_cache_hits(i % 3);
    b.count("vision.preprocess_cache_hits", BARE, i % 3);
    m.vision_preprocess_cache_misses(1);
    b.count("vision.preprocess_cache_misses", BARE, 1);
    m.image_admission_decode_time(Duration::from_nanos(3 * pixels));
    b.value("vision.image_admission_decode_time", BARE, 3 * pixels);
}

fn tools(m: &Metrics, b: &mut impl Book, i: u64) {
    let choices = [(ToolChoice::Auto, "auto"), (ToolChoice::Required, "required"), (ToolChoice::Named, "named")];
    let (choice, text) = choices[(i % 3) as usize];
    m.tool_call_requests(choice);
    b.count("tool_call.requests", by("choice", text), 1);
    m.tool_call_tools_per_request(1 + i % 20);
    b.value("tool_call.tools_per_request", BARE, 1 + i % 20);
}

fn format(m: &Metrics, b: &mut impl Book, i: u64) {
    let (format, text) = if i % 8 == 3 {
        (ResponseFormat::JsonObject, "json_object")
    } else {
        (ResponseFormat::JsonSchema, "json_schema")
    };
    m.structured_output_requests(format);
    b.count("structured_output.requests", by("kind", text), 1);
    let nanos = 200_000 + mix(i) % 40_000_000;
    m.structured_output_grammar_build_time(Duration::from_nanos(nanos));
    b.value("structured_output.grammar_build_time", BARE, nanos);
    if i.is_multiple_of(5) {
        m.structured_output_grammar_rejection(Grammar::JsonSchema);
        b.count("structured_output.grammar_rejections", by("kind", "json_schema"), 1);
    }
}
