#!/usr/bin/env python3
"""dashboard.py DASHBOARD PAGE...: every metric and label in the dashboard's queries is on one of
the pages for Prometheus, and every panel has a query."""
import json
import re
import sys

WORDS = {"sum", "by", "rate", "increase", "histogram_quantile", "label_values", "le", "instance"}

families, labels = {}, {}
for page in sys.argv[2:]:
    for line in open(page):
        kind = re.match(r"# TYPE (\S+) (\S+)", line)
        if kind:
            families[kind.group(1)] = kind.group(2)
            continue
        series = re.match(r"(\w+)(?:\{(.*)\})? ", line)
        if series and not line.startswith("#"):
            found = re.findall(r'(\w+)="', series.group(2) or "")
            labels.setdefault(series.group(1), set()).update(found)


def known(name):
    base = re.sub(r"_(bucket|sum|count)$", "", name)
    return name in families or families.get(base) == "histogram"


def check(expr):
    text = re.sub(r'"[^"]*"', "", expr)
    names = set(re.findall(r"\bpeerup_\w+", text))
    assert names, "no metric in: " + expr
    for name in names:
        assert known(name), name + " is not exported, in: " + expr
    if not any(name in labels for name in names):
        return  # nothing has happened yet that would have made a series
    for group in re.findall(r"by \(([^)]*)\)", text):
        for label in re.split(r",\s*", group):
            assert label in WORDS or any(label in labels.get(n, ()) for n in names), \
                label + " is no label of " + ", ".join(names)


def main():
    dashboard = json.load(open(sys.argv[1]))
    queries = [t["expr"] for p in dashboard["panels"] for t in p["targets"]]
    assert len(queries) >= len(dashboard["panels"]) > 10
    queries += [v["query"] for v in dashboard["templating"]["list"] if v["type"] == "query"]
    for expr in queries:
        check(expr)


main()
