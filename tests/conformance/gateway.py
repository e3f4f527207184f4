"""Pushes to a real Pushgateway, and compares what it exposes with what was pushed.

    gateway.py PUSHGATEWAY PUSHED FOLDER

PUSHGATEWAY and PUSHED are programs, FOLDER an empty directory for the log.
"""

import re
import subprocess
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from expected import key, report, same
from otlp import Pushed, expect
from receiver import Receiver
from scrape import ending, eventually, get

GROUP = {"job": "nightly ä/b", "shard": "50% of ?#&+"}


def samples(page):
    found = {}
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            found[key(sample.name, {name: value for name, value in sample.labels.items() if value})] = sample.value
    return found


def differences(pushed, exposed):
    """What the gateway has of the group, less what it adds itself, against what was pushed."""
    wanted = {key(name, {**dict(labels), **GROUP}): value for (name, labels), value in samples(pushed).items()}
    of_group = frozenset(GROUP.items())
    found = {series: value for series, value in samples(exposed).items() if of_group <= series[1]}
    found = {series: value for series, value in found.items() if not re.fullmatch("push(_failure)?_time_seconds", series[0])}
    words = [f"missing: {series}" for series in wanted.keys() - found.keys()]
    words += [f"not expected: {series}" for series in found.keys() - wanted.keys()]
    # What the engine says of its collections is another at each of them.
    both = [series for series in wanted.keys() & found.keys() if not series[0].startswith("tach_")]
    words += [f"differs: {series}" for series in both if not same(wanted[series], found[series])]
    return words, len(both)


def run(started, gateway_program, pushed_program, folder):
    path = Path(folder) / "pushgateway.log"
    log = open(path, "wb")
    gateway = subprocess.Popen([gateway_program, "--web.listen-address=127.0.0.1:0"], stdout=log, stderr=log, cwd=folder)
    started.append(gateway)

    def listening():
        if gateway.poll() is not None:
            raise SystemExit("the Pushgateway has ended")
        return re.search(r'msg="Listening on" address=([0-9.:]+)', path.read_text("utf-8"))

    url = f"http://{eventually('the Pushgateway listens', listening).group(1)}"
    pushed = Pushed(started, pushed_program, Receiver(), OTEL_SDK_DISABLED="true")

    def push(method, to=url):
        return pushed.ask(f"{method} {to}")["error"]

    def exposed():
        return get(f"{url}/metrics").decode("utf-8")

    for method in ("put", "post"):
        pushed.ask("record")
        expect(f"the {method}", push(method), None)
        words, count = differences(pushed.ask("page"), exposed())
        report(f"the Pushgateway after a {method}", words)
        print(f"{method}: {count} series are there as recorded, in their group")
    expect("the delete", push("delete"), None)
    eventually("the group is gone", lambda: not differences("", exposed())[0])
    error = push("put", f"{url}/nowhere")
    if error is None or "answered 404" not in error:
        raise SystemExit(f"a wrong path gave {error!r}")
    pushed.end()
    print("delete: nothing of the group is left")


if __name__ == "__main__":
    ending(run)
