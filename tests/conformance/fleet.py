"""Has a fleet of three replicas watched as docs/FLEET.md says, one of them restarted, and asks the servers for what was recorded.

    fleet.py REPLAY PROMETHEUS VICTORIA FOLDER [TRACE]

The first three are programs, FOLDER an empty directory. Everything listens on loopback.
"""

import signal
import sys
from functools import partial

from exact import read
from hold import Increases, classic, federated, native, rules
from scrape import eventually
from watched import Fleet, Replica

# Output tokens of the fleet between one turn of events and the next.
TOKENS = 60_000


def totals(server):
    """Output tokens by replica, of those that are scraped now."""
    found = server.ask("query", {"query": 'maxserve_num_output_tokens_total{job="chat"}'})["result"]
    return {series["metric"]["instance"]: float(series["value"][1]) for series in found}


def see(servers, what, wanted):
    """Waits until all servers have these totals, and no others."""
    for name, server in servers.items():
        eventually(f"{name} has {what}", lambda server=server: totals(server) == wanted)


def beyond(server, least):
    eventually(f"{least:.0f} tokens", lambda: sum(totals(server).values()) >= least, patience=120)


def tokens(account):
    return float(account["num_output_tokens"][0])


def run(fleet, trace):
    names = ["chat-0", "chat-1", "chat-2"]
    replicas = [Replica(fleet, name, trace, seed) for seed, name in enumerate(names)]
    direct, address = fleet.prometheus("prometheus", replicas=replicas)
    flags = ["--web.enable-remote-write-receiver", "--enable-feature=native-histograms"]
    central, receiver = fleet.prometheus("central", *flags)
    flags = ["--enable-feature=agent,native-histograms"]
    fleet.prometheus("agent", *flags, agent=True, replicas=replicas, level1=receiver)
    second, _ = fleet.prometheus("federation", level1=address)
    victoria = fleet.victoria(replicas=replicas)
    servers = {"Prometheus": direct, "the central Prometheus": central, "VictoriaMetrics": victoria}

    see(servers, "every replica at zero", dict.fromkeys(names, 0.0))
    for replica in replicas:
        replica.tell()
    beyond(direct, TOKENS)
    print(f"three replicas are scraped, by {len(servers)} servers")

    first = replicas[1]
    first.stop()
    gone = read(first.path)
    for name, server in servers.items():
        eventually(f"{name} has all of {first.name}", lambda server=server: totals(server)[first.name] == tokens(gone))
    first.end()
    down = f'ALERTS{{alertname="TachTargetDown",instance="{first.name}"}}'
    for server in (direct, central):
        eventually("TachTargetDown", partial(server.query, down))
    print(f"{first.name} ended after {tokens(gone):.0f} tokens: TachTargetDown is pending")

    replicas[1] = Replica(fleet, first.name, trace, len(names), first.address)
    for name, server in servers.items():
        eventually(f"{name} has the restart", lambda server=server: totals(server).get(first.name) == 0)
    replicas[1].tell()
    beyond(direct, sum(totals(direct).values()) + TOKENS)
    for replica in replicas:
        replica.stop()
    alive = [read(replica.path) for replica in replicas]
    see(servers, "the end", {replica.name: tokens(account) for replica, account in zip(replicas, alive)})
    for server in (direct, central):
        eventually("TachTargetDown is over", lambda server=server: not server.query(down))
    print(f"all stopped, with {sum(map(tokens, alive)) + tokens(gone):.0f} tokens")

    increases = Increases(direct)
    classic("Prometheus", direct, alive, alive + [gone], increases)
    classic("VictoriaMetrics", victoria, alive, alive + [gone], None)
    native(central, alive, alive + [gone], increases)
    federated(direct, second)
    rules({"Prometheus": direct, "the central Prometheus": central})
    for replica in replicas:
        replica.end()


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended from outside"))
    replay, prometheus, victoria, folder, *trace = sys.argv[1:]
    fleet = Fleet(folder, {"replay": replay, "prometheus": prometheus, "victoria": victoria})
    try:
        run(fleet, trace)
    finally:
        fleet.kill()


if __name__ == "__main__":
    main()
