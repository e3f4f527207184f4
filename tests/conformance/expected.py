"""What `examples/nasty/` says that its exposition must hold, and how to compare with it."""

import math


def number(text):
    """A value as Rust, Prometheus or its Python client spells it: exact where it is a whole number."""
    try:
        return int(text)
    except ValueError:
        return float(text)


def same(left, right):
    """Whether two values are one, NaN included; that of minus zero gets lost in the readers."""
    if isinstance(left, int) and isinstance(right, int):
        return left == right
    left, right = float(left), float(right)
    if math.isnan(left) or math.isnan(right):
        return math.isnan(left) and math.isnan(right)
    return left == right


def key(name, labels):
    """What tells a series from every other one."""
    return name, frozenset(labels.items())


def samples(expected):
    """All samples by their key, of the JSON that nasty printed."""
    found = {}
    for family in expected["families"]:
        for sample in family["samples"]:
            series = key(sample["name"], sample["labels"])
            if series in found:
                raise SystemExit(f"the expectation names {series} twice")
            found[series] = number(sample["value"])
    return found


def differences(wanted, found):
    """What differs between two sets of samples, in words.

    The engine's own metrics are nobody's expectation, nor are rates: they are by the time that has passed.
    """
    words = []
    for series, value in wanted.items():
        if series not in found:
            words.append(f"missing: {series} = {value}")
        elif not same(value, found[series]):
            words.append(f"differs: {series} is {found[series]} instead of {value}")
    for series in found.keys() - wanted.keys():
        if not series[0].startswith("tach_") and not series[0].endswith("_window_rate"):
            words.append(f"not expected: {series} = {found[series]}")
    return words


def report(what, words):
    """Ends the program when there are differences."""
    if words:
        for word in words[:20]:
            print(f"  {word}")
        raise SystemExit(f"{what}: {len(words)} differences")
