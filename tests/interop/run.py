#!/usr/bin/env python3
"""Runs the interoperability cases of matrix.json. See README.md."""

import argparse
import json
import os
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(HERE.parent / "support"))
sys.path.insert(0, str(HERE))

from lab import netns, toolchain  # noqa: E402
from cases import PROCEDURES, Bench, Failed  # noqa: E402

SKIP = 77
COMMANDS = "PEERUP_INTEROP_COMMANDS"  # what the outer run found, for the inner one
TRIES = 3


def parse():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--case", action="append", default=[], metavar="ID",
                   help="only this case; a trailing * matches the rest of the name")
    p.add_argument("--peer", choices=["c", "go", "js", "rust"], help="only cases with this peer")
    p.add_argument("--all", action="store_true", default=bool(os.environ.get("PEERUP_TEST_ALL")),
                   help="long cases at full length (or PEERUP_TEST_ALL=1)")
    p.add_argument("--list", action="store_true", help="print the cases and stop")
    p.add_argument("--prepare", action="store_true", help="build the foreign peers and stop")
    p.add_argument("--stand-in", metavar="PEER", choices=["go", "js", "rust"],
                   help="another peer plays our part")
    p.add_argument("--our-peer", metavar="PATH", help="our interop-peer program")
    p.add_argument("--wire", metavar="PATH", help="the link emulator (tests/support/wire.c)")
    p.add_argument("--evidence", metavar="DIR", type=Path, help="where failures leave what they saw",
                   default=ROOT / "build" / "interop-evidence")
    p.add_argument("--show", action="store_true", help="print the events as they come")
    return p.parse_args()


def chosen(options):
    def wanted(case):
        if options.peer and case["peer"] != options.peer:
            return False
        return not options.case or any(
            case["id"] == w or (w.endswith("*") and case["id"].startswith(w[:-1]))
            for w in options.case)

    cases = json.loads((HERE / "matrix.json").read_text())
    for number, case in enumerate(cases, 1):
        case["number"] = number
    return [c for c in cases if wanted(c)]


def newest(name):
    """The program in the most recently used build folder."""
    found = [p for p in (ROOT / "build").glob(f"*/**/{name}") if os.access(p, os.X_OK) and p.is_file()]
    return str(max(found, key=lambda p: p.stat().st_mtime)) if found else None


def our_peer(options):
    path = options.our_peer or newest("interop-peer")
    if not path:
        raise netns.Unavailable("interop-peer is not built (cmake --build build/<preset>)")
    return [path]


def rust_peer(options):
    if not (options.all or options.prepare or options.peer == "rust"):
        raise netns.Unavailable("cases with rust run with --all (PEERUP_TEST_ALL=1) or --peer rust")
    return toolchain.rust_peer(HERE / "rust", options.all)


def find_commands(options, cases):
    """How to start each peer that the cases need, or why not (a string)."""
    makers = {
        "go": lambda: toolchain.go_peer(HERE / "go"),
        "js": lambda: toolchain.js_peer(HERE / "js"),
        "rust": lambda: rust_peer(options),
    }
    needed = {name for c in cases for name in cast_of(c, options.stand_in or "c").values()}
    if options.stand_in:
        needed.add(options.stand_in)
    else:
        makers["c"] = lambda: our_peer(options)
        needed.add("c")
    commands = {}
    for name in sorted(needed):
        try:
            commands[name] = makers[name]() if name in makers else f"no {name} peer here"
        except netns.Unavailable as e:
            commands[name] = str(e)
    wire = options.wire or newest("wire")
    commands["wire"] = [wire] if wire else "tests/support/wire is not built"
    return commands


def cast_of(case, us):
    """Role -> program. "c" is whoever plays our part."""
    cast = case.get("cast", {"we": "c", "peer": case["peer"]})
    return {role: us if name == "c" else name for role, name in cast.items()}


def reason_to_skip(case, commands, us):
    if case["peer"] == "c" and us != "c":
        return "about our own peers only"
    for name in [*cast_of(case, us).values()] + (["wire"] if "link" in case else []):
        if isinstance(commands[name], str):
            return commands[name]
    return None


def run_case(case, commands, us, options, attempt):
    """One try. Returns None or why it failed; leaves evidence then."""
    cast = {role: commands[name] for role, name in cast_of(case, us).items()}
    bench = Bench(case, cast, commands["wire"], options, attempt)
    try:
        bench.start()
        PROCEDURES[case["run"]](bench)
        bench.finish()
        return None
    except Failed as e:
        bench.save_evidence(options.evidence / case["id"], str(e))
        return str(e)
    finally:
        bench.close()


def run_with_retries(case, commands, us, options):
    """A case that fails and then passes is flaky: reported, not hidden."""
    why = None
    for attempt in range(TRIES):
        start = time.monotonic()
        error = run_case(case, commands, us, options, attempt)
        took = f"{time.monotonic() - start:.1f} s"
        if error is None:
            return ("passed", took) if attempt == 0 else ("flaky", f"{took}; first: {why}")
        why = why or error
        print(f"    {case['id']}: {error}", flush=True)
    return "failed", why


def main():
    options = parse()
    cases = chosen(options)
    if options.list:
        for c in cases:
            print(f"{c['id']:12} {c['peer']:4} {c['title']}")
        return 0
    if not cases:
        print("no such case", file=sys.stderr)
        return 2

    if options.prepare and not options.stand_in:
        options.stand_in = "go"  # ours comes from the build
    # Downloads and builds need the network, so they come first.
    inherited = os.environ.get(COMMANDS)
    commands = json.loads(inherited) if inherited else find_commands(options, cases)
    if options.prepare:
        for name, command in commands.items():
            print(f"{name}: {command if isinstance(command, str) else 'ready'}")
        return 0
    us = options.stand_in or "c"
    if all(reason_to_skip(c, commands, us) for c in cases):
        print(f"skipped: {reason_to_skip(cases[0], commands, us)}")
        return SKIP
    os.environ[COMMANDS] = json.dumps(commands)
    netns.enter()

    count = {"passed": 0, "failed": 0, "flaky": 0, "skipped": 0}
    for case in cases:
        why = reason_to_skip(case, commands, us)
        verdict, detail = ("skipped", why) if why else run_with_retries(case, commands, us, options)
        count[verdict] += 1
        print(f"{verdict:8} {case['id']:12} {case['peer']:4} {case['title']} ({detail})", flush=True)
    print(", ".join(f"{n} {verdict}" for verdict, n in count.items() if n))
    return 1 if count["failed"] else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except netns.Unavailable as e:
        print(f"skipped: {e}")
        sys.exit(SKIP)
