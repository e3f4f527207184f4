"""Has a Prometheus scrape `tach collect` over an API and two workers, one of which is killed, and holds it against their accounts.

    processes.py SMOLLM2 TACH PROMETHEUS FOLDER

The first three are programs, FOLDER an empty directory. Everything listens on loopback, and what is killed is what this started.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from scrape import Lines, Prometheus, eventually

CONFIG = """
global:
  scrape_interval: 1s
  scrape_timeout: 1s
scrape_configs:
  - job_name: smollm2
    static_configs:
      - targets: ["{address}"]
"""
CLIENTS = 16
# Seconds in which a worker that was killed stays away: some scrapes long.
AWAY = 4
# Tokens between one turn of events and the next: some seconds of the mock's.
TOKENS = 600
TOTALS = '{job="smollm2",__name__=~"maxserve_.+_(total|count|sum|bucket)"}'
OUTPUT = "maxserve_num_output_tokens_total"
# A decode step of the mock sleeps for 4 ms at least; the bucket of that begins here.
PACE = 3.31


def fail_unless(right, words):
    if not right:
        raise SystemExit(words)


class Run:
    def __init__(self, smollm2, tach, prometheus, folder):
        self.programs = {"smollm2": smollm2, "tach": tach, "prometheus": prometheus}
        self.folder = Path(folder)
        self.dir = tempfile.mkdtemp(prefix="tach-processes-", dir="/dev/shm")
        self.account = self.folder / "account"
        self.started = []

    def start(self, command, **more):
        program = subprocess.Popen(command, **more)
        self.started.append(program)
        return program

    def end(self):
        for program in self.started:
            program.kill()
            program.wait()
        shutil.rmtree(self.dir)

    def collector(self, listen):
        """A collector, and where it serves."""
        command = [self.programs["tach"], "collect", "--dir", self.dir, "--listen", listen]
        program = self.start(command, stderr=subprocess.PIPE)
        first = Lines(program.stderr).next()
        found = re.search(r" at ([0-9.:]+)/metrics", first)
        fail_unless(found, f"tach collect: {first}")
        return program, found.group(1)

    def prometheus(self, address):
        config, log = self.folder / "prometheus.yml", self.folder / "prometheus.log"
        config.write_text(CONFIG.format(address=address), "utf-8")
        command = [self.programs["prometheus"], f"--config.file={config}", f"--storage.tsdb.path={self.folder / 'data'}"]
        with open(log, "wb") as out:
            self.start([*command, "--web.listen-address=127.0.0.1:0"], stdout=out, stderr=out)
        listening = lambda: re.search(r'msg="Listening on" address=([0-9.:]+)', log.read_text("utf-8"))
        return Prometheus(eventually("Prometheus listens", listening).group(1))

    def api(self):
        command = [self.programs["smollm2"], "--mock", "--workers", "2", "--clients", str(CLIENTS), "--tokens", "0"]
        command += ["--restart-after", str(AWAY), "--account", self.account]
        env = {**os.environ, "TACH_SEGMENT_DIR": self.dir}
        with open(self.folder / "table", "wb") as table:
            return self.start(command, env=env, stdout=table, stderr=subprocess.PIPE)


def ready(lines):
    """The next worker that is ready: its number and its process."""
    while True:
        found = re.match(r"worker-(\d): process (\d+), ready", lines.next())
        if found:
            return int(found.group(1)), int(found.group(2))


def shares(server):
    """The workers whose share of the KV cache there is."""
    found = server.query("maxserve_kv_usage_ratio")
    fail_unless(all(0 <= share <= 1 for share in found.values()), f"shares of a cache: {found}")
    return sorted(dict(labels)["process"] for (_, labels) in found if "worker" in dict(labels)["process"])


def beyond(server, least):
    eventually(f"{least:.0f} tokens", lambda: server.value(OUTPUT) >= least)


def is_between(server, series, least, most):
    """Whether the one value of a series is that of the account, but for what a sum in floats is rounded by."""
    value, rounding = server.value(series), 1e-12 * most
    return least - rounding <= value <= most + rounding


def never_fell(server):
    """Every total in every scrape; how many there are, and how many of them rose."""
    rose = 0
    result = server.ask("query", {"query": TOTALS + "[15m]"})["result"]
    for series in result:
        values = [float(value) for _, value in series["values"]]
        falls = [pair for pair in zip(values, values[1:]) if pair[1] < pair[0]]
        fail_unless(not falls, f"a total fell: {series['metric']}: {falls}")
        rose += values[-1] > values[0]
    return len(result), rose


def quantiles(server, samples):
    for name, labels in (("time_to_first_token", ""), ("itl", ""), ("batch_execution_time", '{batch_type="TG"}')):
        name = f"maxserve_{name}_milliseconds"
        mean = samples[f"{name}_sum{labels}"][0] / samples[f"{name}_count{labels}"][0]
        low, median, high = (
            server.value(f"histogram_quantile({q}, {name}_bucket{labels})") for q in (0.01, 0.5, 0.99)
        )
        # No more than a share 1 - q of the values is above mean / (1 - q); a bucket is up to 1.5 wide.
        least = PACE if labels else 0.0
        right = least <= low <= median <= high and median <= 1.5 * 2 * mean and high <= 1.5 * 100 * mean
        fail_unless(right, f"{name}: {low}, {median}, {high} of a mean of {mean}")
        print(f"  {name}{labels}: p50 {median:.4g}, p99 {high:.4g}, mean {mean:.4g}")


def run(it):
    collector, address = it.collector("127.0.0.1:0")
    server = it.prometheus(address)
    api = it.api()
    lines = Lines(api.stderr)
    pids = dict(ready(lines) for _ in range(2))
    eventually("both workers are seen", lambda: shares(server) == ["worker-0", "worker-1"])
    beyond(server, TOKENS)
    running = server.value("maxserve_num_requests_running")
    fail_unless(CLIENTS - 8 <= running <= CLIENTS, f"{running} requests of {CLIENTS} clients")
    fail_unless(server.value("maxserve_kv_tokens_capacity_tokens") == 2 * 4 * 4096, "the capacity is not that of both")
    print("an API and two workers are scraped")

    os.kill(pids[0], signal.SIGKILL)
    eventually("worker-0 is gone", lambda: shares(server) == ["worker-1"])
    eventually("half of the capacity is", lambda: server.value("maxserve_kv_tokens_capacity_tokens") == 4 * 4096)
    eventually("its death is told", lambda: server.value('tach_segments{state="died"}') == 1)
    number, again = ready(lines)
    fail_unless(number == 0 and again != pids[0], f"worker-{number} is process {again} now, and worker-0 was {pids[0]}")
    eventually("worker-0 is back", lambda: shares(server) == ["worker-0", "worker-1"])
    beyond(server, server.value(OUTPUT) + TOKENS)
    print("a worker was killed, and another one took its place")

    collector.kill()
    collector.wait()
    eventually("the collector is down", lambda: server.value("up") == 0)
    it.collector(address)
    eventually("the next collector is up", lambda: server.value("up") == 1)
    beyond(server, server.value(OUTPUT) + TOKENS)
    print("the collector was killed, and the next one goes on")

    api.send_signal(signal.SIGINT)
    status = api.wait(timeout=60)
    table = (it.folder / "table").read_text("utf-8")
    fail_unless(status == 0 and "\ncheck: ok (" in table, f"the API ended with {status}: {table}")
    print("  " + table.splitlines()[-1])
    eventually("all have ended in order", lambda: server.value('tach_segments{state="closed"}') == 3)
    fail_unless(not shares(server), "a share of a cache outlived its process")
    left = server.query("maxserve_kv_tokens or maxserve_num_requests_scheduled > 0")
    fail_unless(not left, f"a level outlived its process: {left}")

    rows = (line.split("\t") for line in it.account.read_text("utf-8").splitlines())
    samples = {series: (float(least), float(most)) for series, least, most in rows}
    for series, (least, most) in samples.items():
        fail_unless(
            is_between(server, series, least, most),
            f"{series}: {server.query(series)} instead of {least} to {most}",
        )
    inexact = [series for series, (least, most) in samples.items() if least != most]
    steps = [samples[f'maxserve_batch_size_count{{batch_type="{kind}"}}'] for kind in ("CE", "TG")]
    fail_unless(sum(most - least for least, most in steps) == 1, f"one worker died, in one step: {steps}")
    errors = samples['maxserve_requests_finished_total{finished_reason="error"}']
    fail_unless(0 < errors[0] == errors[1] <= 4, f"{errors} requests of the killed worker's four streams")
    print(f"{len(samples)} totals are those of the accounts, {len(inexact)} of them to the killed worker's last step")
    total, rose = never_fell(server)
    fail_unless(total > 1000 and rose > 100, f"only {rose} of {total} totals rose")
    print(f"none of {total} totals fell in any scrape, {rose} rose")
    quantiles(server, samples)


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended from outside"))
    it = Run(*sys.argv[1:])
    try:
        run(it)
    finally:
        it.end()


if __name__ == "__main__":
    main()
