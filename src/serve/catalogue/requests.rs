//! Requests, tokens and start-up.

use super::labels::{Component, Turn};
use super::rows::{handle, instruments, late, method, metric, series, start};

instruments! {
    /// Requests, tokens and start-up.
    Requests in requests, MaxServe;

    request_count: Event "request_count" NONE NO Basic open { code: u16, path: &str },
        "Requests answered by the API, by status and path; not those for health, version and metrics.";
    request_time: Time "request_time" MILLIS LAT Basic open { path: &str },
        "Time from a request's receipt by the API to the end of its response.";
    input_time: Time "input_processing_time" MILLIS LAT Basic,
        "Time to tokenize a request's input and prepare its context.";
    output_time: Time "output_processing_time" MILLIS LAT Basic,
        "Time a request's whole generation took.";
    ttft: Time "time_to_first_token" MILLIS LAT Basic,
        "Time from a request's receipt to its first token: parsing, tokenizing, waiting and prefill included.";
    itl: Time "itl" MILLIS LAT Basic,
        "Inter-token latency, per gap: one value for each output event after a request's first, however many tokens it \
         brings.";
    time_per_output_token: Time "time_per_output_token" MILLIS LAT Basic,
        "Mean time per output token of a request after its first, once per request of two tokens or more.";
    input_tokens: Count "num_input_tokens" NONE NO Basic,
        "Input tokens of requests.";
    output_tokens: Count "num_output_tokens" NONE NO Basic,
        "Output tokens generated.";
    input_tokens_per_request: Size "input_tokens_per_request" TOKENS CNT Basic by ByTurn { turn: Turn },
        "Input tokens of a request; of a later turn of a chat, the earlier ones included.";
    output_tokens_per_request: Size "output_tokens_per_request" TOKENS CNT Basic,
        "Output tokens of a request.";
    reqs_running: Delta "num_requests_running" NONE NO Basic,
        "Requests in progress.";
    reqs_awaiting_admission: Delta "num_requests_awaiting_admission" NONE NO Basic,
        "Requests accepted and not yet handed to the model's worker.";
    requests_awaiting_admission_dist: Size "requests_awaiting_admission" NONE CNT Detailed,
        "Requests accepted and not yet handed to the model's worker, sampled every second.";
    responses_buffered: Amount "num_responses_buffered" NONE NO Basic,
        "Responses that wait in the output queues of all requests.";
    responses_buffered_dist: Size "responses_buffered" NONE CNT Detailed,
        "Responses that wait in the output queues of all requests, sampled every second.";
    response_queue_time: Time "response_queue_time" MILLIS LAT Detailed,
        "Time the oldest response had waited in a request's output queue when it was taken.";
    model_load_time: Time "model_load_time" MILLIS LAT Basic by ByComponent { component: Component },
        "Time a phase of the start-up took.";
    pipeline_load: Event "pipeline_load" NONE NO Basic open { model: &str },
        "Pipelines loaded, by model.";
}
