//! The batch scheduler: once per step.

use super::labels::BatchType;
use super::rows::{handle, instruments, late, method, metric, series, start};

instruments! {
    /// The batch scheduler.
    Batch in batch, MaxServe;

    reqs_queued: Amount "num_requests_queued" NONE NO Basic,
        "Requests in the queue for prefill.";
    batch_size: Size "batch_size" NONE BSZ Basic by ByBatch { batch_type: BatchType },
        "Requests in a batch.";
    batch_execution_time: Time "batch_execution_time" MILLIS LAT Detailed by ByBatch { batch_type: BatchType },
        "Time a batch took to execute.";
    batch_creation_time: Time "batch_creation_time" MILLIS LAT Basic by ByBatch { batch_type: BatchType },
        "Time it took to form a batch.";
    batch_input_tokens: Size "batch_input_tokens" TOKENS CNT Basic by ByBatch { batch_type: BatchType },
        "Input tokens of a batch.";
    batch_context_tokens: Size "batch_context_tokens" TOKENS CNT Basic by ByBatch { batch_type: BatchType },
        "Tokens in the context of a batch's requests.";
    batch_prompt_throughput: Real "batch_prompt_throughput" TOKENS_PER_SECOND TPS Basic
        by ByBatch { batch_type: BatchType },
        "Prompt tokens of a batch by the time it took.";
    batch_generation_throughput: Real "batch_generation_throughput" TOKENS_PER_SECOND TPS Basic
        by ByBatch { batch_type: BatchType },
        "Generated tokens of a batch by the time it took.";
    batch_terminated_reqs: Size "batch_terminated_reqs" REQS CNT Detailed by ByBatch { batch_type: BatchType },
        "Requests that ended with a batch.";
    batch_pending_reqs: Size "batch_pending_reqs" REQS CNT Detailed by ByBatch { batch_type: BatchType },
        "Requests pending when a batch was formed.";
    dp_active_token_occupancy: Real "dp_active_token_occupancy" PERCENT PCT Detailed by ByBatch { batch_type: BatchType },
        "Active tokens of the mean data-parallel rank, as a share of those of the fullest.";
    dp_context_token_occupancy: Real "dp_context_token_occupancy" PERCENT PCT Detailed
        by ByBatch { batch_type: BatchType },
        "Context tokens of the mean data-parallel rank, as a share of those of the fullest.";
    dp_active_tokens: Count "dp_active_tokens" TOKENS NO Detailed by ByBatch { batch_type: BatchType },
        "Active tokens over all data-parallel replicas, without padding.";
    dp_step_capacity_tokens: Count "dp_step_capacity_tokens" TOKENS NO Detailed by ByBatch { batch_type: BatchType },
        "Tokens that the data-parallel replicas could have had if all were as full as the fullest.";
    spec_decode_avg_acceptance_length: Real "spec_decode.avg_acceptance_length" TOKENS ACC Detailed,
        "Mean length of the drafts that were accepted in a batch.";
    spec_decode_acceptance_rate_per_position: Real "spec_decode.acceptance_rate_per_position" PERCENT PCT Detailed
        open { position: u16 },
        "Share of a batch's draft tokens that were accepted, by position in the draft.";
}
