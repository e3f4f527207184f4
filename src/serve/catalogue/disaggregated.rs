//! Prefill and decode on nodes of their own.

use super::rows::{handle, instruments, late, method, metric, series, start};

instruments! {
    /// Prefill and decode on nodes of their own.
    Disaggregated in disaggregated, MaxServe;

    di_decode_admission_queue_wait_time: Time "di.decode_admission_queue_wait_time" MILLIS LAT Detailed,
        "Time a request waited to be admitted by the decode node.";
    di_decode_send_time: Time "di.decode_send_time" MILLIS LAT Detailed,
        "Time to build, encode and enqueue a request to the prefill node.";
    di_dispatch_rtt: Time "di.dispatch_rtt" MILLIS LAT Detailed,
        "Time from sending a prefill request to the word of its arrival.";
    di_prefill_span: Time "di.prefill_span" MILLIS LAT Detailed,
        "Time from the word of a prefill request's arrival to that of its end.";
    di_reply_rtt: Time "di.reply_rtt" MILLIS LAT Detailed,
        "Time from the word of a prefill's end to the response's arrival.";
    di_prefill_queue_wait_time: Time "di.prefill_queue_wait_time" MILLIS LAT Detailed,
        "Time a request waited on the prefill node for its first batch.";
    di_decode_postprocess_time: Time "di.decode_postprocess_time" MILLIS LAT Detailed,
        "Time from a prefill response's receipt to its place in the response queue.";
    di_early_sync_time: Time "di.early_sync_time" MILLIS LAT Detailed,
        "Time spent waiting for the structured-output state of the batch before.";
    di_handoff_to_first_token_time: Time "di.handoff_to_first_token_time" MILLIS LAT Detailed,
        "Time from the hand-off's arrival to the first token that the decode node sends.";
    di_ce_preempted_tg_iteration_count: Event "di.ce_preempted_tg_iteration_count" NONE NO Detailed,
        "Steps in which a prefill batch kept pending decodes from going on.";
    di_ce_preempted_tg_pending_count: Size "di.ce_preempted_tg_pending_count" NONE CNT Detailed,
        "Decodes that were pending in a step in which a prefill batch kept them from going on.";
}
