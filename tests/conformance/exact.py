"""The exact accounts that replicas write, and what histograms of their values have to be."""

import bisect
import math

# What is looked at: the account's name, the exposed one, and nanoseconds to a unit of that.
HISTOGRAMS = [
    ("time_to_first_token", "maxserve_time_to_first_token_milliseconds", 1e6),
    ("itl", "maxserve_itl_milliseconds", 1e6),
    ("time_to_first_token", "vllm:time_to_first_token_seconds", 1e9),
    ("itl", "vllm:inter_token_latency_seconds", 1e9),
]
QUANTILES = (0.5, 0.9, 0.99, 0.999)
# Native buckets of these histograms, which have two digits (docs/EXPOSITION.md): from one to the next, and how much above a value the
# end of the bucket may be that it is counted in.
GROWTH, BEYOND = 2.0 ** (1 / 16), 1.053


def read(path):
    """An account: the sorted values or the count of each series, by its name."""
    account = {}
    with open(path, encoding="ascii") as file:
        for line in file:
            name, *numbers = line.split(" ")
            account[name] = [int(number) for number in numbers]
    return account


def merged(accounts):
    """One of values that are joined and counts that are added up."""
    together = {}
    for account in accounts:
        for name, numbers in account.items():
            is_histogram = any(name == histogram for histogram, _, _ in HISTOGRAMS)
            there = together.get(name, [] if is_histogram else [0])
            together[name] = sorted(there + numbers) if is_histogram else [there[0] + numbers[0]]
    return together


def below(values, bound, unit):
    """How many values there are up to a bound."""
    return len(values) if bound == math.inf else bisect.bisect_right(values, round(bound * unit))


def at_rank(values, q):
    """The value of rank q·n, counted from one."""
    return values[max(math.ceil(min(q, 1.0) * len(values)), 1) - 1]


def line(buckets, q):
    """What histogram_quantile makes of counts up to ascending bounds."""
    rank = q * buckets[-1][1]
    index = next(index for index, (_, count) in enumerate(buckets) if count >= rank)
    low, under = buckets[index - 1] if index else (0.0, 0)
    high, count = buckets[index]
    return low + (high - low) * (rank - under) / (count - under)


def bucket(bounds, value):
    """The bounds next to a value: it is above the first and not above the second."""
    index = bisect.bisect_left(bounds, value)
    return (bounds[index - 1] if index else 0.0), bounds[index]
