"""Holds exemplars against those who read them: the PyPI parser of OpenMetrics, Google's decoder of OTLP, and a real Prometheus
that scrapes them as OpenMetrics and as protobuf, with native histograms.

    exemplars.py PROMETHEUS TRACED FOLDER

PROMETHEUS and TRACED are programs, FOLDER an empty directory for what Prometheus writes. Everything listens on loopback.
"""

import json
import math
import subprocess
import time
from pathlib import Path

import prometheus_client.openmetrics.parser
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as service

from scrape import CONFIG, Lines, PATIENCE, ending, eventually, start

FEATURES = {
    "openmetrics": "exemplar-storage",
    "protobuf": "exemplar-storage,native-histograms",
}


def output(program, *arguments):
    return subprocess.run([program, *arguments], stdout=subprocess.PIPE, check=True).stdout


def ids(expected):
    return {"trace_id": expected["trace_id"], "span_id": expected["span_id"]}


def same(what, wanted, found, since=0):
    """Checks exemplars, each (bucket, labels, value, time), whatever their order."""
    told = sorted((bucket, sorted(labels.items()), value) for bucket, labels, value, _ in found)
    wanted = sorted((bucket, sorted(ids(one).items()), float(one["value"])) for bucket, one in wanted)
    equal = len(told) == len(wanted) and all(
        left[:2] == right[:2] and math.isclose(left[2], right[2], rel_tol=1e-12) for left, right in zip(told, wanted)
    )
    if not equal or not all(since <= moment <= time.time() + 1 for *_, moment in found):
        raise SystemExit(f"{what}: {found} instead of {wanted}")


def check_parser(traced, expected, since):
    page = output(traced, "--print", "openmetrics").decode()
    found = []
    for family in prometheus_client.openmetrics.parser.text_string_to_metric_families(page):
        for sample in family.samples:
            if sample.exemplar:
                bucket = sample.labels.get("le", "")
                if family.name.startswith("latency") and sample.labels["model"] != "a":
                    raise SystemExit(f"an exemplar of nothing: {sample}")
                found.append((bucket, sample.exemplar.labels, sample.exemplar.value, float(sample.exemplar.timestamp)))
    wanted = [(one["le"], one) for one in expected["buckets"]] + [("", expected["counter"])]
    same("prometheus-client", wanted, found, since)
    print(f"prometheus-client: {len(found)} exemplars, each on its line")


def check_otlp(traced, form, expected, since):
    request = service.ExportMetricsServiceRequest.FromString(output(traced, "--print", form))
    found = []
    for metric in request.resource_metrics[0].scope_metrics[0].metrics:
        for point in getattr(metric, metric.WhichOneof("data")).data_points:
            for exemplar in point.exemplars:
                labels = {"trace_id": exemplar.trace_id.hex(), "span_id": exemplar.span_id.hex()}
                found.append((metric.name, labels, exemplar.as_double, exemplar.time_unix_nano / 1e9))
    wanted = [("latency", one) for one in expected["buckets"]] + [("tokens", expected["counter"])]
    same(f"Google's decoder, {form}", wanted, found, since)
    print(f"Google's decoder: {len(found)} exemplars in {form}")


def exemplars(prometheus, selector, since):
    """What the server has of a selector: exemplars by the bucket of their series."""
    form = {"query": selector, "start": str(since), "end": str(time.time() + 1)}
    return [
        (series["seriesLabels"].get("le", ""), one["labels"], float(one["value"]), float(one["timestamp"]))
        for series in prometheus.ask("query_exemplars", form)
        for one in series["exemplars"]
    ]


def check_prometheus(started, program, traced, folder, protocol, expected, since):
    server = subprocess.Popen([traced, "--serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    started.append(server)
    address = Lines(server.stdout).next().strip()
    folder.mkdir()
    flags = [f"--enable-feature={FEATURES[protocol]}"]
    prometheus = start(started, program, folder, CONFIG.format(address=address), flags)
    eventually("exemplars of the counter", lambda: exemplars(prometheus, "tokens_total", since))
    same(protocol, [("", expected["counter"])], exemplars(prometheus, "tokens_total", since), since)
    if protocol == "openmetrics":
        wanted = [(one["le"], one) for one in expected["buckets"]]
        found = exemplars(prometheus, "latency_seconds_bucket", since)
    else:
        # Of the native histogram, which is one series. Later versions have all, 2.42 the first that a bucket has.
        found = exemplars(prometheus, "latency_seconds", since)
        shown = [one for one in expected["buckets"] if len(found) > 1 or one["le"] == "0.005"]
        wanted = [("", one) for one in shown]
    same(protocol, wanted, found, since)
    # Scraping what is known already is no error, and gives nothing more.
    scrapes = "scrape_samples_scraped"
    before = prometheus.value(f"count_over_time({scrapes}[1m])")
    eventually("more scrapes", lambda: prometheus.value(f"count_over_time({scrapes}[1m])") >= before + 2)
    if prometheus.value('up{job="nasty"}') != 1:
        raise SystemExit(f"{protocol}: the target is down")
    same(protocol, [("", expected["counter"])], exemplars(prometheus, "tokens_total", since), since)
    server.stdin.close()
    if server.wait(timeout=PATIENCE) != 0:
        raise SystemExit(f"traced ended with {server.returncode}")
    print(f"Prometheus: {1 + len(found)} exemplars by {protocol}")


def run(started, program, traced, folder):
    # The clock of exemplars may be some milliseconds behind.
    since = time.time() - 1
    expected = json.loads(output(traced, "--expect"))
    check_parser(traced, expected, since)
    for form in ("otlp", "otlp-explicit"):
        check_otlp(traced, form, expected, since)
    for protocol in FEATURES:
        check_prometheus(started, program, traced, Path(folder) / protocol, protocol, expected, since)


if __name__ == "__main__":
    ending(run)
