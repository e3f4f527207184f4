"""Holds what servers say of a fleet against the exact accounts of its replicas."""

import math

from exact import BEYOND, GROWTH, HISTOGRAMS, QUANTILES, at_rank, below, bucket, line, merged
from scrape import eventually

# The whole run, and more.
WINDOW = "15m"
COUNTERS = [
    ("num_output_tokens", "maxserve_num_output_tokens_total"),
    ("requests_good", "maxserve_requests_good_total"),
    *(
        (f"requests_finished{{finished_reason={reason}}}", f'maxserve_requests_finished_total{{finished_reason="{reason}"}}')
        for reason in ("stop", "length", "abort", "error")
    ),
]


def fail_unless(holds, what):
    if not holds:
        raise SystemExit(what)


def near(left, right):
    return math.isclose(left, right, rel_tol=1e-9, abs_tol=1e-9)


def by_bound(server, query):
    """Counts by their bounds, ascending."""
    found = server.ask("query", {"query": query})["result"]
    return sorted((float(series["metric"]["le"]), float(series["value"][1])) for series in found)


class Increases:
    """What a server scraped in the whole run, with restarts told by values that fall; and how many times that PromQL may say.

    `increase` goes on from the last sample to the end of the window, by as much as 1.1 of the time between samples; also before the
    first, but for counters not below zero, where all begin here.
    """

    def __init__(self, server):
        self.server = server
        gaps = min(len(series["values"]) for series in self.matrix("maxserve_num_output_tokens_total")) - 1
        self.extra = 1 + 1.1 / gaps
        self.extra_native = 1 + 2 * 1.1 / gaps

    def matrix(self, selector):
        return self.server.ask("query", {"query": f"{selector}[{WINDOW}]"})["result"]

    def exact(self, selector):
        """By `le` (None where there is none): what was added in all series, restarts accounted for."""
        found = {}
        for series in self.matrix(selector):
            le = series["metric"].get("le")
            values = [float(value) for _, value in series["values"]]
            added = sum(new - old if new >= old else new for old, new in zip(values, values[1:]))
            bound = float(le) if le else None
            found[bound] = found.get(bound, 0.0) + added + values[0]
        return found


def within(exact, value, extra):
    return exact * (1 - 1e-9) <= value <= exact * extra * (1 + 1e-9)


def ranks(values, q, extra):
    """The values between which a quantile is if each replica's may count `extra` times."""
    low = max(q / extra, 1 - (1 - q) * extra)
    high = min(q * extra, 1 - (1 - q) / extra)
    return at_rank(values, low), at_rank(values, high)


def classic(who, server, alive, all_lives, increases):
    """Buckets and their quantiles. VictoriaMetrics, for which `increases` is None, adds nothing to an increase."""
    now, ever = merged(alive), merged(all_lives)
    compared = 0
    for account, name, unit in HISTOGRAMS:
        buckets = by_bound(server, f'sum by (le) ({name}_bucket{{job="chat"}})')
        wanted = [(bound, float(below(now[account], bound, unit))) for bound, _ in buckets]
        fail_unless(len(buckets) > 10 and buckets == wanted, f"{who}: {name}: {buckets} instead of {wanted}")
        bounds = [bound for bound, _ in buckets]
        for q in QUANTILES:
            value = server.value(f'histogram_quantile({q}, sum by (le) ({name}_bucket{{job="chat"}}))')
            true = at_rank(now[account], q) / unit
            low, high = bucket(bounds, true)
            fail_unless(near(value, line(wanted, q)), f"{who}: {name}: quantile {q} is {value}")
            fail_unless(low <= value <= high, f"{who}: {name}: quantile {q} is {value}, exactly {true}")
        compared += len(buckets) + len(QUANTILES)
        compared += through_restart(who, server, name, ever[account], unit, bounds, increases)
    for account, name in COUNTERS:
        value = server.value(f"sum(increase({name}[{WINDOW}]))")
        wanted = ever[account][0]
        if increases:
            (raw,) = increases.exact(name).values()
            fail_unless(raw == wanted, f"{who}: {name}: {raw} were added, exactly {wanted}")
            fail_unless(within(wanted, value, increases.extra), f"{who}: {name}: increase is {value}, exactly {wanted}")
        else:
            fail_unless(near(value, wanted), f"{who}: {name}: increase is {value}, exactly {wanted}")
        compared += 1
    print(f"{who}: {compared} bucket counts, quantiles and totals are those of the exact accounts")


def through_restart(who, server, name, values, unit, bounds, increases):
    """The same over the whole run, the life that ended included."""
    query = f'sum by (le) (increase({name}_bucket{{job="chat"}}[{WINDOW}]))'
    buckets = by_bound(server, query)
    wanted = {bound: float(below(values, bound, unit)) for bound in bounds}
    if increases:
        raw = increases.exact(f'{name}_bucket{{job="chat"}}')
        fail_unless(raw == wanted, f"{who}: {name}: {raw} were added instead of {wanted}")
        extra = increases.extra
        for bound, value in buckets:
            fail_unless(within(wanted[bound], value, extra), f"{who}: {name}: increase up to {bound} is {value}")
    else:
        # Buckets without any value may be left out.
        extra = 1.0
        for bound, value in buckets:
            fail_unless(near(value, wanted.pop(bound)), f"{who}: {name}: the increase up to {bound} is {value}")
        fail_unless(not any(wanted.values()), f"{who}: {name}: no increase of the buckets {wanted}")
    for q in QUANTILES:
        value = server.value(f"histogram_quantile({q}, {query})")
        lowest, highest = ranks(values, q, extra)
        (low, _), (_, high) = bucket(bounds, lowest / unit), bucket(bounds, highest / unit)
        fail_unless(low <= value <= high, f"{who}: {name}: quantile {q} of all is {value}, not within {low} and {high}")
        if unit == 1e6:
            true = at_rank(values, q) / unit
            print(f"  {who}: {name}: p{100 * q:g} is {value:.4g}, exactly {true:.4g}, bucket {low:g} to {high:g}")
    return len(buckets) + len(QUANTILES)


def native(server, alive, all_lives, increases):
    """Native histograms, which an agent scraped and sent on."""
    now, ever = merged(alive), merged(all_lives)
    compared = 0
    for account, name, unit in HISTOGRAMS:
        there = f'sum({name}{{job="chat"}})'
        count = server.value(f"histogram_count({there})")
        fail_unless(count == len(now[account]), f"native: {name}: {count} values instead of {len(now[account])}")
        total, wanted = server.value(f"histogram_sum({there})"), sum(now[account]) / unit
        fail_unless(near(total, wanted), f"native: {name}: the sum is {total} instead of {wanted}")
        added = f'sum(increase({name}{{job="chat"}}[{WINDOW}]))'
        count = server.value(f"histogram_count({added})")
        extra, wanted = increases.extra_native, len(ever[account])
        fail_unless(within(wanted, count, extra), f"native: {name}: {count} values were added, exactly {wanted}")
        for values, query, extra in ((now[account], there, 1.0), (ever[account], added, extra)):
            for q in QUANTILES:
                value = server.value(f"histogram_quantile({q}, {query})")
                lowest, highest = ranks(values, q, extra)
                low, high = lowest / unit / GROWTH, highest / unit * BEYOND
                fail_unless(low <= value <= high, f"native: {name}: quantile {q} is {value}, not within {low} and {high}")
                if extra > 1.0 and unit == 1e6:
                    print(f"  native: {name}: p{100 * q:g} is {value:.4g}, exactly {at_rank(values, q) / unit:.4g}")
        compared += 3 + 2 * len(QUANTILES)
    print(f"native: {compared} counts, sums and quantiles are within what docs/EXPOSITION.md says")


def federated(first, second):
    """The second level has what the first recorded, and nothing else of the fleet."""
    name = "job:maxserve_time_to_first_token_milliseconds:p99"

    def the_same():
        there = {time: value for time, value in second.ask("query", {"query": f"{name}[1m]"})["result"][0]["values"]}
        here = {time: value for time, value in first.ask("query", {"query": f"{name}[1m]"})["result"][0]["values"]}
        common = there.keys() & here.keys()
        return common and all(there[time] == here[time] for time in common)

    eventually("the second level has what was recorded", the_same)
    others = second.query('count({job="chat",__name__!~"job[^:]*:.+|ALERTS"})')
    fail_unless(not others, f"the second level has series of single replicas: {others}")
    print("federation: the second level has the recorded quantiles")


def rules(servers):
    """All rules are evaluated without an error, and alerts say what they mean."""
    for who, server in servers.items():
        found = [rule for group in server.ask("rules")["groups"] for rule in group["rules"]]
        for rule in found:
            fail_unless(rule["health"] == "ok", f"{who}: {rule['name']}: {rule.get('lastError')}")
        alerts = server.ask("alerts")["alerts"]
        for alert in alerts:
            fail_unless("error expanding" not in str(alert["annotations"]), f"{who}: {alert}")
        for name in ("maxserve_itl_milliseconds", "maxserve_time_to_first_token_milliseconds"):
            value = server.value(f'job:{name}:p99{{job="chat"}}')
            fail_unless(value > 0, f"{who}: the recorded p99 of {name} is {value}")
        names = sorted({alert["labels"]["alertname"] for alert in alerts})
        size = [
            server.value(f'max({name}{{job="chat"}})')
            for name in ("scrape_samples_scraped", "scrape_samples_post_metric_relabeling", "scrape_duration_seconds")
        ]
        print(f"{who}: {size[0]:.0f} samples of a replica, {size[1]:.0f} after relabelling, {size[2]:.3f} s")
        print(f"{who}: {len(found)} rules are evaluated; alerts: {', '.join(names) or 'none'}")
