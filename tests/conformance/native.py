"""Holds native histograms, as Prometheus has them, against the exact counts up to each declared bound."""

import math

from expected import report, same, samples

# The upper end of the bucket in which a value is counted is at most so many times the value, by the histogram's schema.
# (The schema is seen by how wide the buckets are.)
BOUNDS = {8: 1.159, 16: 1.053, 32: 1.023}
# Up to here values are in the zero bucket.
ZERO_THRESHOLD = 2.0**-128


def per_doubling(buckets):
    """How many buckets there are to a doubling."""
    growth = {round(1 / math.log2(high / low)) for low, high, _ in buckets if low > 0}
    if len(growth) > 1 or not growth <= BOUNDS.keys():
        raise SystemExit(f"buckets of different schemas: {growth}")
    return growth.pop() if growth else 8


def check_native(prometheus, expected):
    families = [family for family in expected["families"] if family["type"] == "histogram"]
    wanted = samples({"families": families})
    words = []
    for family in families:
        name = family["name"]
        found = prometheus.results(name, "histogram")
        counts = {series: value for series, value in wanted.items() if series[0] == name + "_count"}
        if len(found) != len(counts):
            words.append(f"{name}: {len(found)} series instead of {len(counts)}")
            continue
        for (_, labels), count in counts.items():
            there = found.get((name, labels))
            if there is None:
                words.append(f"{name} {set(labels)} is missing")
                continue
            buckets = [(float(low), float(high), float(n)) for _, low, high, n in there.get("buckets", [])]
            if not same(count, float(there["count"])) or sum(n for _, _, n in buckets) != count:
                words.append(f"{name} {set(labels)}: {there} instead of {count}")
            if not same(wanted[name + "_sum", labels], float(there["sum"])):
                words.append(f"{name} {set(labels)}: the sum is {there['sum']}")
            words += [f"{name} {set(labels)}: {word}" for word in beyond(name, dict(labels), wanted, buckets)]
    report("native histograms", words)
    print(f"native: {len(families)} families, each value within its bounds")


def beyond(name, labels, wanted, buckets):
    """Where the buckets have more up to a declared bound than there was, or up to the most that it may become, less."""
    bound_error = BOUNDS[per_doubling(buckets)]
    for (of, there), count in wanted.items():
        there = dict(there)
        if of != name + "_bucket" or {name: value for name, value in there.items() if name != "le"} != labels:
            continue
        bound = float(there["le"])
        most = sum(n for _, high, n in buckets if high <= bound)
        least = sum(n for _, high, n in buckets if high <= max(bound * bound_error, ZERO_THRESHOLD))
        if not most <= count <= least:
            yield f"of {count} up to {bound} there are {most} to {least}"
