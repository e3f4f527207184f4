"""Has a real Prometheus scrape the exporter, and asks it for what was recorded.

    scrape.py PROMETHEUS NASTY FOLDER PROTOCOL

PROMETHEUS and NASTY are programs, FOLDER an empty directory for what Prometheus writes. PROTOCOL is `text`, `openmetrics` or
`protobuf`. Everything listens on loopback.
"""

import json
import math
import queue
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from expected import differences, key, number, report, samples
from native import check_native
from proxy import Proxy

CONFIG = """
global:
  scrape_interval: 1s
  scrape_timeout: 1s
scrape_configs:
  - job_name: nasty
    static_configs:
      - targets: ["{address}"]
"""
# What Prometheus is told, what its requests accept instead of what it says itself, and how the answers have to begin.
PROTOCOLS = {
    "text": ([], "text/plain;version=0.0.4;q=0.5,*/*;q=0.1", "text/plain; version=0.0.4; charset=utf-8"),
    "openmetrics": ([], None, "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores"),
    "protobuf": (
        ["--enable-feature=native-histograms"],
        None,
        "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited; escaping=underscores",
    ),
}
# Whole seconds that anything may take.
PATIENCE = 60


class Lines:
    """The lines that a program prints, each waited for with a limit."""

    def __init__(self, stream):
        self.queue = queue.Queue()
        threading.Thread(target=self.read, args=(stream,), daemon=True).start()

    def read(self, stream):
        for line in stream:
            self.queue.put(line.decode("utf-8"))
        self.queue.put(None)

    def next(self):
        try:
            line = self.queue.get(timeout=PATIENCE)
        except queue.Empty:
            line = None
        if line is None:
            raise SystemExit("a program printed nothing more")
        return line


def eventually(what, probe, patience=PATIENCE):
    """Waits until `probe` gives something; what it raises meanwhile is kept for the message."""
    last = None
    for _ in range(patience * 4):
        try:
            found = probe()
            if found:
                return found
            last = found
        except (urllib.error.URLError, OSError, LookupError) as error:
            last = error
        time.sleep(0.25)
    raise SystemExit(f"{what}: not within {patience} s, last: {last}")


def get(url, form=None):
    data = urllib.parse.urlencode(form).encode("ascii") if form else None
    with urllib.request.urlopen(url, data=data, timeout=10) as response:
        return response.read()


class Prometheus:
    def __init__(self, address):
        self.api = f"http://{address}/api/v1/"

    def ask(self, path, form=None):
        answer = json.loads(get(self.api + path, form))
        if answer["status"] != "success":
            raise SystemExit(f"{path} {form}: {answer}")
        return answer["data"]

    def query(self, text):
        """The series that a query gives, by name and labels; those that the scraper adds are taken off."""
        return {series: number(value) for series, value in self.results(text, "value").items()}

    def results(self, text, kind):
        """The same for one kind of result: `value` or `histogram`."""
        found = {}
        for series in self.ask("query", {"query": text})["result"]:
            labels = {name: value for name, value in series["metric"].items() if name not in ("instance", "job")}
            if kind in series:
                found[key(labels.pop("__name__", ""), labels)] = series[kind][1]
        return found

    def value(self, text):
        """The one value that a query gives."""
        found = self.query(text)
        if len(found) != 1:
            raise LookupError(f"{text} gave {len(found)} series")
        return next(iter(found.values()))


def quote(text):
    """A string as PromQL reads it, which takes no U+FFFD as it stands."""
    escaped = (c if c.isascii() and c.isprintable() and c not in '"\\' else f"\\U{ord(c):08x}" for c in text)
    return '"' + "".join(escaped) + '"'


def check_all(prometheus, expected, protocol):
    """Every sample, as the server has it."""
    if protocol == "protobuf":
        # Of a histogram that is native too this server keeps nothing else.
        check_native(prometheus, expected)
        expected = {"families": [family for family in expected["families"] if family["type"] != "histogram"]}
    # Prometheus keeps floats.
    wanted = {series: float(value) for series, value in samples(expected).items()}
    found = prometheus.query('{job="nasty",__name__=~"app_.*"}')
    report("Prometheus", differences(wanted, found))
    return len(found)


def check_matchers(prometheus, expected):
    """Each label value finds its own series, and no other."""
    (family,) = [family for family in expected["families"] if family["name"] == "app_requests_total"]
    for sample in family["samples"]:
        path = sample["labels"].get("path", "")
        found = prometheus.query(f"app_requests_total{{path={quote(path)}}}")
        if found != {key(sample["name"], sample["labels"]): number(sample["value"])}:
            raise SystemExit(f"path={path!r} found {found}")
    return len(family["samples"])


def quantile(buckets, q):
    """What histogram_quantile does: a line between the bounds of the bucket in which the rank lies."""
    rank = q * buckets[-1][1]
    index = next(index for index, (_, count) in enumerate(buckets) if count >= rank)
    if index == len(buckets) - 1:
        return buckets[-2][0]
    low, below = buckets[index - 1] if index else (0.0, 0)
    high, count = buckets[index]
    return low + (high - low) * (rank - below) / (count - below)


def check_quantiles(prometheus, expected):
    name = "app_latency_seconds"
    found = samples(expected)
    buckets = sorted(
        (float(dict(labels)["le"]), value) for (of, labels), value in found.items() if of == name + "_bucket"
    )
    for q in (0.1, 0.5, 0.9, 0.99):
        wanted, there = quantile(buckets, q), prometheus.value(f"histogram_quantile({q}, {name}_bucket)")
        if not math.isclose(wanted, there, rel_tol=1e-9):
            raise SystemExit(f"histogram_quantile({q}) is {there} instead of {wanted}")
    (count,) = [value for (of, _), value in found.items() if of == name + "_count"]
    if prometheus.value(name + "_count") != count or buckets[-1][1] != count:
        raise SystemExit(f"{name}_count is not {count}")


def check_metadata(prometheus, expected, protocol):
    metadata = prometheus.ask("metadata")
    for family in expected["families"]:
        name = family["name"]
        if protocol == "openmetrics" and family["type"] == "counter":
            name = name.removesuffix("_total")
        (entry,) = metadata[name]
        if (entry["type"], entry["help"]) != (family["type"], family["help"]):
            raise SystemExit(f"{family['name']}: {entry}")


def check_target(prometheus):
    (target,) = prometheus.ask("targets")["activeTargets"]
    if target["health"] != "up" or target["lastError"]:
        raise SystemExit(f"the target: {target}")


def has_total(prometheus, expected):
    """Whether the server has scraped what `expected` says."""
    (wanted,) = [value for (name, _), value in samples(expected).items() if name == "app_tokens_total"]
    return prometheus.value("app_tokens_total") == float(wanted)


def start(started, program, folder, config, flags):
    """Starts a Prometheus in `folder`, and waits until it answers."""
    (folder / "prometheus.yml").write_text(config, encoding="utf-8")
    log = open(folder / "prometheus.log", "wb")
    server = subprocess.Popen(
        [
            program,
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            "--web.listen-address=127.0.0.1:0",
            *flags,
        ],
        stdout=log,
        stderr=log,
        cwd=folder,
    )
    started.append(server)

    def listening():
        if server.poll() is not None:
            raise SystemExit("Prometheus has ended")
        return re.search(r'msg="Listening on" address=([0-9.:]+)', (folder / "prometheus.log").read_text("utf-8"))

    return Prometheus(eventually("Prometheus listens", listening).group(1))


def run(started, prometheus_program, nasty_program, folder, protocol):
    flags, accept, content_type = PROTOCOLS[protocol]
    nasty = subprocess.Popen([nasty_program, "--serve", "127.0.0.1:0"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    started.append(nasty)
    lines = Lines(nasty.stdout)
    expected = json.loads(lines.next())
    proxy = Proxy(expected["address"], accept)
    prometheus = start(started, prometheus_program, Path(folder), CONFIG.format(address=proxy.address), flags)
    eventually("up", lambda: prometheus.value('up{job="nasty"}') == 1)
    eventually("the first scrape", lambda: has_total(prometheus, expected))
    check_target(prometheus)
    print(f"scraped: {check_all(prometheus, expected, protocol)} series are as recorded")
    print(f"matchers: {check_matchers(prometheus, expected)} label values find their series")
    if protocol != "protobuf":
        check_quantiles(prometheus, expected)
    check_metadata(prometheus, expected, protocol)

    nasty.stdin.write(b"more\n")
    nasty.stdin.flush()
    later = json.loads(lines.next())
    if samples(later) == samples(expected):
        raise SystemExit("nasty has recorded nothing more")
    eventually("the next scrape", lambda: has_total(prometheus, later))
    check_all(prometheus, later, protocol)
    if protocol != "protobuf":
        check_quantiles(prometheus, later)
    if prometheus.value('up{job="nasty"}') != 1:
        raise SystemExit("the target is down")
    if proxy.content_types != {content_type}:
        raise SystemExit(f"answered with {proxy.content_types}")
    print("later: what was recorded meanwhile is there")

    nasty.stdin.close()
    if nasty.wait(timeout=PATIENCE) != 0:
        raise SystemExit(f"nasty ended with {nasty.returncode}")
    eventually("down", lambda: prometheus.value('up{job="nasty"}') == 0)
    print("ended: the target is down when the exporter is dropped")


def ending(run):
    """Runs what is given with the arguments, and ends what it has started."""
    # So that the programs are ended then too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended from outside"))
    started = []
    try:
        run(started, *sys.argv[1:])
    finally:
        for program in started:
            program.kill()
            program.wait()


if __name__ == "__main__":
    ending(run)
