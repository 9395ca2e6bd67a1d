#!/usr/bin/env python3
"""peerup-vpn against current wireguard-go and the bare cable, in the same run.

    a 10.200.0.1 ───────── veth ───────── 10.200.0.2 b
      10.201.0.1  wireguard-go (one each)  10.201.0.2
      10.64.x.y   peerup-vpn (one each)    10.64.x.y

Both ends and the load generator (iperf3) share this machine's cores, so figures are worth
something only as ratios within one run: contestants take turns, round by round, and medians
are compared. Needs root, iperf3, and Go for wireguard-go. Nothing here is part of the tests.
"""

import argparse
import json
import statistics
import sys
import time
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(TESTS / "support"), str(Path(__file__).resolve().parent)]

from lab import netns  # noqa: E402
import contestants  # noqa: E402
import measure  # noqa: E402

# What architecture §5 asks for: (scenario, metric), wanted ratio of peerup-vpn to the other.
BUDGETS = [
    ("TCP as packets / wireguard-go", "packets.mbit", "wireguard-go", "packets.mbit", ">=", 1.0),
    ("CPU per byte, packets / wireguard-go", "packets.cpu_s_per_gib", "wireguard-go",
     "packets.cpu_s_per_gib", "<=", 1.0),
    ("TCP to a service / packets", "service.mbit", "peerup-vpn", "packets.mbit", ">=", 1.0),
    ("added RTT / wireguard-go's", "rtt.added_us", "wireguard-go", "rtt.added_us", "<=", 0.6),
]
RSS_BUDGET_MIB = 10


def parse():
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--rounds", type=int, default=3, help="how often everybody takes a turn")
    p.add_argument("--seconds", type=int, default=4, help="of each transfer")
    p.add_argument("--peers", type=int, default=10, help="connected peers for the memory figures")
    p.add_argument("--only", action="append", choices=sorted(contestants.ALL),
                   help="these contestants (default all)")
    p.add_argument("--scenario", action="append", choices=sorted(measure.SCENARIOS),
                   help="these scenarios (default all)")
    p.add_argument("--no-offload", action="store_true", help="veth without segmentation offloads")
    p.add_argument("--peerup", help="the program (default: the newest release build)")
    p.add_argument("--json", metavar="FILE", help="raw samples, medians and ratios")
    return p.parse_args()


def run(options, names):
    """{contestant: {metric: [samples]}} of all rounds."""
    cable = contestants.Cable(options.no_offload)
    everybody = {}
    try:
        for name in names:
            everybody[name] = contestants.ALL[name](cable, options)
        samples = {name: {} for name in names}
        for number in range(options.rounds):
            # Nobody always runs first.
            order = names[number % len(names):] + names[:number % len(names)]
            for scenario in options.scenario or measure.SCENARIOS:
                for name in order:
                    result = measure.SCENARIOS[scenario](everybody[name], cable, options)
                    for metric, value in result.items():
                        samples[name].setdefault(f"{scenario}.{metric}", []).append(value)
                    if result:
                        text = "  ".join(f"{m} {v:.2f}" for m, v in result.items())
                        print(f"round {number + 1}  {scenario:8} {name:13} {text}", flush=True)
        return samples
    finally:
        for contestant in everybody.values():
            contestant.stop()


def summarise(samples):
    medians = {name: {metric: statistics.median(values) for metric, values in metrics.items()}
               for name, metrics in samples.items()}
    bare = medians.get("veth", {}).get("rtt.us")
    if bare is not None:
        for metrics in medians.values():
            if "rtt.us" in metrics:
                metrics["rtt.added_us"] = metrics["rtt.us"] - bare
    return medians


def ratios(medians):
    result = []
    ours = medians.get("peerup-vpn", {})
    for title, mine, other, theirs, sense, wanted in BUDGETS:
        a, b = ours.get(mine), medians.get(other, {}).get(theirs)
        if a is None or not b or b <= 0:
            continue
        ratio = a / b
        result.append({"what": title, "ratio": round(ratio, 3), "budget": f"{sense} {wanted}",
                       "met": ratio >= wanted if sense == ">=" else ratio <= wanted})
    idle = ours.get("memory.idle_mib")
    if idle is not None:
        result.append({"what": "resident MiB, idle, with peers", "ratio": round(idle, 2),
                       "budget": f"<= {RSS_BUDGET_MIB}", "met": idle <= RSS_BUDGET_MIB})
    return result


def table(medians):
    metrics = sorted({m for values in medians.values() for m in values})
    names = list(medians)
    lines = [f"{'median':24}" + "".join(f"{n:>15}" for n in names)]
    for metric in metrics:
        cells = [medians[n].get(metric) for n in names]
        lines.append(f"{metric:24}" + "".join(f"{'-' if c is None else format(c, '.2f'):>15}"
                                              for c in cells))
    return "\n".join(lines)


def main():
    options = parse()
    names = options.only or list(contestants.ALL)
    contestants.find_programs(options, names)
    netns.enter()
    start = time.time()
    samples = run(options, names)
    medians = summarise(samples)
    verdicts = ratios(medians)
    print("\n" + table(medians))
    if verdicts:
        print()
        for v in verdicts:
            print(f"{v['what']:40} {v['ratio']:8.2f}   budget {v['budget']:8} "
                  f"{'met' if v['met'] else 'MISSED'}")
    if options.json:
        document = {"when": int(start), "rounds": options.rounds, "seconds": options.seconds,
                    "offload": not options.no_offload, "peers": options.peers,
                    "samples": samples, "medians": medians, "ratios": verdicts}
        Path(options.json).write_text(json.dumps(document, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (netns.Unavailable, contestants.Broken) as e:
        sys.exit(f"bench: {e}")
