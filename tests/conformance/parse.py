"""Parses an exposition with the PyPI package prometheus-client and compares it with what was recorded.

    parse.py FORMAT PAGE EXPECTED

FORMAT is `text` or `openmetrics`: each has a parser of its own there, and that of OpenMetrics is strict. `created` is
OpenMetrics that says when totals began; with `+target` the page has to begin with whose metrics these are.
"""

import json
import sys
import time

import prometheus_client.openmetrics.parser
import prometheus_client.parser

from expected import differences, key, number, report, samples

PARSERS = {
    "text": prometheus_client.parser.text_string_to_metric_families,
    "openmetrics": prometheus_client.openmetrics.parser.text_string_to_metric_families,
    "created": prometheus_client.openmetrics.parser.text_string_to_metric_families,
}

# Any time before the pages that are checked were made, and after clocks that were never set.
SINCE = 1_700_000_000


# What `nasty` says of itself besides what is the same everywhere.
TARGET = {"service_name": "\" \\ \n } ä", "service_instance_id": "7", "zone_name": "# no comment"}


def check_target(form, family):
    name, kind = ("target", "info") if form == "openmetrics" else ("target_info", "gauge")
    if (family.name, family.type) != (name, kind) or len(family.samples) != 1:
        raise SystemExit(f"the page does not begin with target_info, but with {family}")
    sample = family.samples[0]
    labels = {name: value for name, value in sample.labels.items() if not name.startswith("telemetry_sdk_")}
    if sample.name != "target_info" or sample.value != 1 or labels != TARGET or len(sample.labels) != 6:
        raise SystemExit(f"{sample} does not say whose metrics these are")


def main(form, text_path, expected_path):
    with open(text_path, "rb") as file:
        text = file.read().decode("utf-8")
    with open(expected_path, encoding="utf-8") as file:
        expected = json.load(file)

    form, _, target = form.partition("+")
    families = {}
    found = {}
    created = set()
    for family in PARSERS[form](text):
        # The parsers take `_total` off the family of a counter.
        name = family.name + "_total" if family.type == "counter" else family.name
        if name in families:
            raise SystemExit(f"the family {name} comes in two pieces")
        families[name] = family
        if target and len(families) == 1:
            check_target(form, family)
            continue
        for sample in family.samples:
            if form == "created" and sample.name.endswith("_created") and family.type in ("counter", "histogram", "summary"):
                if not SINCE < sample.value <= time.time():
                    raise SystemExit(f"{sample} is no beginning")
                created.add((family.name, frozenset(sample.labels.items())))
                continue
            series = key(sample.name, sample.labels)
            if series in found:
                raise SystemExit(f"{series} is there twice")
            if sample.timestamp is not None:
                raise SystemExit(f"{series} has a timestamp")
            found[series] = number(str(sample.value)) if isinstance(sample.value, int) else sample.value

    words = differences(samples(expected), found)
    for family in expected["families"]:
        there = families.get(family["name"])
        if there is None:
            words.append(f"the family {family['name']} is missing")
        elif (there.type, there.documentation) != (family["type"], family["help"]):
            words.append(f"{family['name']} is a {there.type}: {there.documentation!r}")
    if form == "created" and not created:
        words.append("nothing tells when it began")
    report(f"{form} {text_path}", words)
    print(f"{len(found)} samples of {len(families)} families read back as recorded")


if __name__ == "__main__":
    main(*sys.argv[1:])
