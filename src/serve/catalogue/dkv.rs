//! The external KV store. Latencies are means of a step's operations.

use super::rows::{handle, instruments, late, method, metric, series, start};

instruments! {
    /// The external KV store.
    Dkv in dkv, MaxServe;

    dkv_nixl_read_latency: Time "dkv.nixl_read_latency" MILLIS LAT Detailed,
        "Time of a READ transfer, the mean of a step.";
    dkv_nixl_read_latency_max: Time "dkv.nixl_read_latency_max" MILLIS LAT Detailed,
        "Time of the slowest READ transfer of a step.";
    dkv_nixl_write_latency: Time "dkv.nixl_write_latency" MILLIS LAT Detailed,
        "Time of a WRITE transfer, the mean of a step.";
    dkv_rpc_acquire_latency: Time "dkv.rpc_acquire_latency" MILLIS LAT Detailed,
        "Time of the call that acquires blocks, the mean of a step.";
    dkv_rpc_read_latency: Time "dkv.rpc_read_latency" MILLIS LAT Detailed,
        "Time of the call that reads blocks, the mean of a step.";
    dkv_nixl_read_gib_per_s: Real "dkv.nixl_read_gib_per_s" GIB_PER_SECOND GIB Detailed,
        "Throughput of READ transfers in a step.";
    dkv_nixl_write_gib_per_s: Real "dkv.nixl_write_gib_per_s" GIB_PER_SECOND GIB Detailed,
        "Throughput of WRITE transfers in a step.";
    dkv_read_blocks: Count "dkv.read_blocks" BLOCKS NO Detailed,
        "Blocks confirmed to have arrived in device memory.";
    dkv_connected_clients: Amount "dkv.connected_clients" CLIENTS NO Detailed,
        "Clients of the store that are connected.";
    dkv_total_clients: Amount "dkv.total_clients" CLIENTS NO Detailed,
        "Clients of the store in all, one per data-parallel replica.";
    dkv_reconnect_attempts: Amount "dkv.reconnect_attempts" ATTEMPTS NO Detailed,
        "Attempts to connect to the store again, since the start.";
    dkv_peer_attaches: Count "dkv.peer_attaches" ATTACHES NO Detailed,
        "Peers attached because a request's cache hint named them.";
    dkv_peer_attach_failures: Count "dkv.peer_attach_failures" ATTACHES NO Basic,
        "Peers that could not be attached.";
    dkv_peers_dropped: Count "dkv.peers_dropped" PEERS NO Detailed,
        "Peers replaced, evicted or closed.";
    dkv_peer_loads: Count "dkv.peer_loads" LOADS NO Detailed,
        "Loads that the hinted peer served.";
    dkv_peer_load_failures: Count "dkv.peer_load_failures" LOADS NO Basic,
        "Loads that the hinted peer did not serve.";
    dkv_hints_rejected: Count "dkv.hints_rejected" HINTS NO Detailed,
        "Cache hints that could not be used.";
}
