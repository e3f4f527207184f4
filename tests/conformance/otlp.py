"""Receives what examples/pushed.rs pushes by OTLP, with faults, and holds every value against what was recorded.

    otlp.py PUSHED
"""

import itertools
import json
import math
import os
import re
import signal
import subprocess
import sys

from opentelemetry.proto.metrics.v1 import metrics_pb2 as metrics

from receiver import Answer, Receiver, response
from scrape import PATIENCE, Lines, eventually

CUMULATIVE, DELTA = metrics.AGGREGATION_TEMPORALITY_CUMULATIVE, metrics.AGGREGATION_TEMPORALITY_DELTA
RETRIED = (429, 502, 503, 504)


class Pushed:
    """The program, with these variables."""

    def __init__(self, started, program, receiver, **variables):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
        environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = receiver.base
        environment["OTEL_EXPORTER_OTLP_TIMEOUT"] = str(PATIENCE * 1000)
        environment.update(variables)
        self.process = subprocess.Popen(
            [program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
        )
        started.append(self.process)
        self.lines = Lines(self.process.stdout)

    def ask(self, line):
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()
        return json.loads(self.lines.next())

    def flush(self, *errors):
        """Pushes, which fails with one of `errors` in its words, or, where there are none, not at all."""
        said = self.ask("flush")["error"]
        if not any(error in said for error in errors) if said is not None else errors:
            raise SystemExit(f"the flush said {said!r} instead of {errors!r}")

    def end(self):
        self.process.stdin.close()
        said = json.loads(self.lines.next())["error"]
        if said is not None or self.process.wait(timeout=PATIENCE) != 0:
            raise SystemExit(f"pushed ended with {said!r}, {self.process.returncode}")


def expect(what, found, wanted):
    if found != wanted:
        raise SystemExit(f"{what}: {found!r} instead of {wanted!r}")


def expect_agent(said):
    """The product, and the exporter as the specification names one."""
    expect("the user agent", re.sub(r"\d+\.\d+\.\d+", "V", said), "tach/V OTel-OTLP-Exporter-Rust/V")


def attributes(pairs):
    found = {pair.key: pair.value.string_value for pair in pairs}
    expect("attributes that are there once", len(found), len(pairs))
    return found


def series(received):
    """Points by name and attributes, each with its metric and its data."""
    (resource_metrics,) = received.request.resource_metrics
    (scope_metrics,) = resource_metrics.scope_metrics
    expect("the scope", scope_metrics.scope.name, "tach")
    found = {}
    for metric in scope_metrics.metrics:
        data = getattr(metric, metric.WhichOneof("data"))
        for point in data.data_points:
            key = metric.name, frozenset(attributes(point.attributes).items())
            if key in found:
                raise SystemExit(f"{key} is there twice")
            found[key] = metric, data, point
    return found


def by_key(truth):
    return {(one["name"], frozenset(one["attributes"].items())): one for one in truth}


def check_number(key, one, data, point):
    expect(f"the value of {key}", getattr(point, point.WhichOneof("value")), one["value"])
    if one["kind"] != "gauge":
        expect(f"{key} is monotonic", data.is_monotonic, one["kind"] == "counter")


def check_histogram(key, truth, point, is_delta=False):
    values = sorted(truth["values"])
    expect(f"the count of {key}", point.count, len(values))
    if not math.isclose(point.sum, truth["sum"], rel_tol=1e-12):
        raise SystemExit(f"the sum of {key} is {point.sum} instead of {truth['sum']}")
    if values and not is_delta:
        expect(f"the ends of {key}", (point.min, point.max), (values[0], values[-1]))
    if not values:
        expect(f"the ends of {key}", (point.HasField("min"), point.HasField("max")), (False, False))
    if isinstance(point, metrics.HistogramDataPoint):
        bounds = [*truth["bounds"], math.inf]
        wanted = [sum(low < value <= high for value in values) for low, high in zip([-math.inf, *bounds], bounds)]
        expect(f"the bounds of {key}", list(point.explicit_bounds), truth["bounds"])
        expect(f"the buckets of {key}", list(point.bucket_counts), wanted)
        return
    expect(f"the scale of {key}", point.scale, truth["scale"])
    expect(f"the zeros of {key}", point.zero_count, values.count(0))
    expect(f"the negative buckets of {key}", sum(point.negative.bucket_counts), 0)
    counts = point.positive.bucket_counts
    expect(f"the count by buckets of {key}", point.zero_count + sum(counts), point.count)
    indices = itertools.count(point.positive.offset)
    counted = [index for index, count in zip(indices, counts) for _ in range(count)]
    growth = 2 ** (2**-point.scale)
    for value, index in zip((value for value in values if value > 0), counted):
        # Its own bucket or the next, and that ends where it may.
        below, upper = growth ** (index - 1), growth ** (index + 1)
        if not (below < value * (1 + 1e-12) and value <= upper * (1 + 1e-12) and upper <= truth["error"] * value):
            raise SystemExit(f"{key}: {value} is counted in bucket {index}")


def check(received, truth, kind):
    """Every series is there as it was recorded; `kind` is the sort of histogram. Gives the points."""
    found, wanted = series(received), by_key(truth)
    expect("the series", {key for key in found if not key[0].startswith("tach_")}, set(wanted))
    for key, one in wanted.items():
        metric, data, point = found[key]
        expect(f"the unit of {key}", metric.unit, one["unit"])
        sort = {"gauge": "gauge", "histogram": kind}.get(one["kind"], "sum")
        expect(f"the sort of {key}", metric.WhichOneof("data"), sort)
        if sort != "gauge":
            expect(f"the temporality of {key}", data.aggregation_temporality, CUMULATIVE)
        if sort == kind:
            check_histogram(key, one["value"], point)
        else:
            check_number(key, one, data, point)
    descriptions = {metric.name: metric.description for metric, _, _ in found.values()}
    expect("a description", descriptions["llm.server.tokens"], 'Tokens\n"made".')
    return found


def check_streams(earlier, later):
    """One process, one stream for each series: the start stays and the time goes on."""
    for key, (metric, _, before) in earlier.items():
        after = later[key][2]
        expect(f"the start of {key}", after.start_time_unix_nano, before.start_time_unix_nano)
        if metric.WhichOneof("data") != "gauge" and not 0 < before.start_time_unix_nano <= before.time_unix_nano:
            raise SystemExit(f"{key} begins at {before.start_time_unix_nano} and is of {before.time_unix_nano}")
        if after.time_unix_nano <= before.time_unix_nano:
            raise SystemExit(f"the time of {key} stands still")


def check_failures(pushed, **wanted):
    found = pushed.ask("counts")["failures"]
    expect("the failures", {name: count for name, count in found.items() if count}, wanted)


def retries(started, program):
    receiver = Receiver()
    pushed = Pushed(
        started,
        program,
        receiver,
        OTEL_EXPORTER_OTLP_HEADERS="api-key=a%20b,x-scope=tests",
        OTEL_EXPORTER_OTLP_COMPRESSION="gzip",
        OTEL_SERVICE_NAME="conformance",
        OTEL_RESOURCE_ATTRIBUTES="deployment.environment=test,zone=%C3%A4",
    )
    truth = pushed.ask("record")
    waits = Answer(503, {"Retry-After": "2"})
    receiver.answer(*(Answer(status) for status in RETRIED), Answer(reset=True), waits)
    pushed.flush()
    received = receiver.take()
    expect("attempts", len(received), 7)
    expect("bodies", len({one.body for one in received}), 1)
    if received[6].time - received[5].time < 1.9:
        raise SystemExit("the exporter did not wait for as long as it was told to")
    first = received[-1]
    expect("the path", first.path, "/v1/metrics")
    headers = {name: first.headers[name] for name in ("content-type", "content-encoding", "api-key", "x-scope")}
    wanted = {"content-type": "application/x-protobuf", "content-encoding": "gzip"}
    expect("headers", headers, {**wanted, "api-key": "a b", "x-scope": "tests"})
    expect_agent(first.headers["user-agent"])
    resource = attributes(first.request.resource_metrics[0].resource.attributes)
    expect("the resource", len(resource.pop("service.instance.id")), 36)
    expect("the version", bool(resource.pop("telemetry.sdk.version")), True)
    told = {"service.name": "conformance", "deployment.environment": "test", "zone": "ä"}
    expect("the resource", resource, {**told, "telemetry.sdk.name": "tach", "telemetry.sdk.language": "rust"})
    earlier = check(first, truth, "exponential_histogram")

    receiver.answer(Answer(400, body=b"\x12\x05no no"), Answer(500), Answer(404), Answer(301))
    for error in ("answered 400: no no", "answered 500", "answered 404", "answered 301"):
        pushed.flush(error)
    expect("attempts", len(receiver.take()), 4)
    truth = pushed.ask("record")
    receiver.answer(Answer(body=response(12, "too old")))
    pushed.flush()
    (second,) = receiver.take()
    check_streams(earlier, check(second, truth, "exponential_histogram"))
    receiver.answer(Answer(body=bytes(5 << 20)))
    pushed.flush()
    expect("attempts", len(receiver.take()), 1)
    counts = pushed.ask("counts")
    expect("the counts", (counts["exports"], counts["dropped"], counts["rejected"]), (3, 4, 12))
    statuses = {"400": 1, "429": 1, "502": 1, "503": 2, "504": 1, "connection": 1, "response": 1}
    check_failures(pushed, **statuses)
    pushed.end()
    expect("the last push", len(receiver.take()), 1)
    print(f"cumulative, exponential: {len(earlier)} points, every fault answered as the protocol says")


def slowness(started, program):
    receiver = Receiver()
    pushed = Pushed(started, program, receiver, OTEL_EXPORTER_OTLP_TIMEOUT="1000")
    truth = pushed.ask("record")
    receiver.answer(Answer(pause=3.0))
    pushed.flush("no answer within")
    # It may be that a busy machine needs another try.
    eventually("the flush after a slow answer", lambda: pushed.ask("flush")["error"] is None)
    check(receiver.take()[-1], truth, "exponential_histogram")
    expect("a timeout is counted", pushed.ask("counts")["failures"].get("timeout", 0) >= 1, True)
    pushed.end()
    print("a slow receiver: given up in time, and nothing lost")


def deltas(started, program):
    receiver = Receiver()
    pushed = Pushed(
        started,
        program,
        receiver,
        OTEL_EXPORTER_OTLP_METRICS_ENDPOINT=receiver.base + "/custom",
        OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE="delta",
        OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION="explicit_bucket_histogram",
    )
    for status in (200, 400, 503, 200, 401, 200):
        truth = pushed.ask("record")
        receiver.answer(Answer(status))
        pushed.flush(*["answered"] if status in (400, 401) else [])
    pushed.end()
    received = receiver.take()
    expect("the path", {one.path for one in received}, {"/custom"})
    taken = [one for one in received if one.taken]
    totals, buckets, last = {}, {}, {}
    for one in taken:
        for key, (metric, data, point) in series(one).items():
            sort = metric.WhichOneof("data")
            if sort == "gauge" or sort == "sum" and not data.is_monotonic:
                totals[key] = point
                continue
            expect(f"the temporality of {key}", data.aggregation_temporality, DELTA)
            # Each window begins where the one before ended.
            expect(f"the window of {key}", point.start_time_unix_nano, last.get(key, point.start_time_unix_nano))
            last[key] = point.time_unix_nano
            if sort == "sum":
                totals[key] = totals.get(key, 0) + getattr(point, point.WhichOneof("value"))
            else:
                before = buckets.setdefault(key, metrics.HistogramDataPoint())
                before.count += point.count
                before.sum += point.sum
                counts = itertools.zip_longest(before.bucket_counts, point.bucket_counts, fillvalue=0)
                before.bucket_counts[:] = [sum(pair) for pair in counts]
                before.explicit_bounds[:] = point.explicit_bounds
    for key, one in by_key(truth).items():
        if one["kind"] == "histogram":
            check_histogram(key, one["value"], buckets[key], is_delta=bool(one["value"]["values"]))
        elif one["kind"] == "counter":
            expect(f"the sum of the deltas of {key}", totals[key], one["value"])
        else:
            expect(f"the value of {key}", getattr(totals[key], totals[key].WhichOneof("value")), one["value"])
    print(f"delta, explicit: {len(received) - len(taken)} of {len(received)} pushes were lost, and no value")


def outage(started, program):
    receiver = Receiver()
    pushed = Pushed(started, program, receiver, OTEL_METRIC_EXPORT_INTERVAL="100")
    pushed.ask("record")
    eventually("a push at the interval", lambda: len(receiver.received) >= 2)
    receiver.answer(*(Answer(503) for _ in range(10)), *(Answer(reset=True) for _ in range(5)))
    truth = pushed.ask("record")
    eventually("the end of the outage", receiver.answers.empty)
    pushed.end()
    received = receiver.take()
    check(received[-1], truth, "exponential_histogram")
    check_streams(series(received[0]), series(received[-1]))
    print(f"an outage: {len(received)} requests, and the last one has everything")


def main():
    # So that the programs are ended then too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended from outside"))
    started = []
    try:
        for scenario in (retries, slowness, deltas, outage):
            scenario(started, sys.argv[1])
    finally:
        for program in started:
            program.kill()
            program.wait()


if __name__ == "__main__":
    main()
