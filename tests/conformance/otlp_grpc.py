"""Receives what examples/pushed.rs pushes by gRPC, on grpcio, and holds every value against what was recorded.

    otlp_grpc.py PUSHED
"""

import signal
import sys
import time
from concurrent import futures

import grpc
from google.protobuf import any_pb2, duration_pb2
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as service
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2_grpc as services

from otlp import Pushed, check, check_failures, check_streams, expect, expect_agent
from receiver import Queue, refuse_unknown, response
from scrape import eventually

RETRIED = (
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.OUT_OF_RANGE,
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DATA_LOSS,
)


def retry_info(seconds):
    """`grpc-status-details-bin`, with a google.rpc.RetryInfo in a google.rpc.Status."""
    delay = duration_pb2.Duration(seconds=seconds).SerializeToString()
    info = any_pb2.Any(type_url="type.googleapis.com/google.rpc.RetryInfo")
    info.value = b"\x0a" + bytes([len(delay)]) + delay
    part = info.SerializeToString()
    return ("grpc-status-details-bin", b"\x08\x08\x1a" + bytes([len(part)]) + part)


class Answer:
    """What a call gets: a status with what there is to say, and metadata; or a response, after a pause."""

    def __init__(self, status=grpc.StatusCode.OK, said="", trailers=(), body=b"", pause=0.0):
        self.status, self.said, self.trailers, self.body, self.pause = status, said, trailers, body, pause


class Received:
    def __init__(self, request, context):
        self.time = time.monotonic()
        self.request, self.body = request, request.SerializeToString(deterministic=True)
        self.metadata = dict(context.invocation_metadata())
        self.left = context.time_remaining()
        refuse_unknown(request)


class Receiver(Queue, services.MetricsServiceServicer):
    """Listens on loopback. `answers` are given in their order; then all is well."""

    def __init__(self):
        super().__init__()
        self.server = grpc.server(futures.ThreadPoolExecutor(4), compression=None)
        services.add_MetricsServiceServicer_to_server(self, self.server)
        self.base = f"http://127.0.0.1:{self.server.add_insecure_port('127.0.0.1:0')}"
        self.server.start()

    def Export(self, request, context):
        try:
            self.received.append(Received(request, context))
        except Exception as error:  # Whatever is wrong with it is told at the end.
            self.faults.append(repr(error))
        answer = self.next(Answer())
        time.sleep(answer.pause)
        if answer.trailers:
            context.set_trailing_metadata(answer.trailers)
        if answer.status != grpc.StatusCode.OK:
            context.abort(answer.status, answer.said)
        return service.ExportMetricsServiceResponse.FromString(answer.body)


def start(started, program, receiver, **variables):
    return Pushed(started, program, receiver, OTEL_EXPORTER_OTLP_PROTOCOL="grpc", **variables)


def calls(started, program, compression):
    receiver = Receiver()
    headers = "api-key=a%20b,x-scope=tests"
    pushed = start(
        started,
        program,
        receiver,
        OTEL_EXPORTER_OTLP_HEADERS=headers,
        OTEL_EXPORTER_OTLP_COMPRESSION=compression,
    )
    truth = pushed.ask("record")
    waits = Answer(grpc.StatusCode.RESOURCE_EXHAUSTED, "full", [retry_info(2)])
    receiver.answer(*(Answer(status) for status in RETRIED), waits)
    pushed.flush()
    received = receiver.take()
    expect("attempts", len(received), len(RETRIED) + 2)
    expect("messages", len({one.body for one in received}), 1)
    if received[-1].time - received[-2].time < 1.9:
        raise SystemExit("the exporter did not wait for as long as it was told to")
    last = received[-1]
    found = {name: last.metadata.get(name) for name in ("api-key", "x-scope", "user-agent")}
    expect_agent(found.pop("user-agent"))
    expect("the metadata", found, {"api-key": "a b", "x-scope": "tests"})
    if not 0 < last.left <= 60:
        raise SystemExit(f"the deadline is {last.left} seconds off")
    earlier = check(last, truth, "exponential_histogram")

    refusals = (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.INTERNAL, grpc.StatusCode.RESOURCE_EXHAUSTED)
    for status in refusals:
        receiver.answer(Answer(status, "no: 50% ä"))
        pushed.flush(f"answered {status.name}: no: 50% ä")
    expect("attempts", len(receiver.take()), len(refusals))
    truth = pushed.ask("record")
    receiver.answer(Answer(body=response(12, "too old")))
    pushed.flush()
    (second,) = receiver.take()
    check_streams(earlier, check(second, truth, "exponential_histogram"))
    receiver.answer(Answer(body=response(0, "x" * (5 << 20))))
    pushed.flush()
    expect("attempts", len(receiver.take()), 1)
    counts = pushed.ask("counts")
    expect("the counts", (counts["exports"], counts["dropped"], counts["rejected"]), (3, 3, 12))
    statuses = {status.name: 1 for status in (*RETRIED, *refusals)}
    check_failures(pushed, **statuses | {"RESOURCE_EXHAUSTED": 2, "response": 1})
    pushed.end()
    expect("the last push", len(receiver.take()), 1)
    print(f"gRPC, compression {compression}: {len(earlier)} points, every status answered as the protocol says")


def slowness(started, program):
    receiver = Receiver()
    pushed = start(started, program, receiver, OTEL_EXPORTER_OTLP_TIMEOUT="1000")
    truth = pushed.ask("record")
    receiver.answer(Answer(pause=3.0))
    # The time goes with the request: whether this end or grpcio is first to see that it is over is a race, and both are right.
    pushed.flush("no answer within", "answered DEADLINE_EXCEEDED")
    # It may be that a busy machine needs another try.
    eventually("the flush after a slow answer", lambda: pushed.ask("flush")["error"] is None)
    check(receiver.take()[-1], truth, "exponential_histogram")
    pushed.end()
    print("gRPC, a slow receiver: given up in time, and nothing lost")


def main():
    # So that the programs are ended then too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended from outside"))
    started = []
    try:
        for compression in ("none", "gzip"):
            calls(started, sys.argv[1], compression)
        slowness(started, sys.argv[1])
    finally:
        for program in started:
            program.kill()
            program.wait()


if __name__ == "__main__":
    main()
