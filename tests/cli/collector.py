#!/usr/bin/env python3
"""An OpenTelemetry collector: collector.py FILE writes the port it listens on to stdout and the
last request, as {"path", "headers", "body"}, to FILE. collector.py --check FILE PAGE compares
what it got with the page of the same node for Prometheus."""
import http.server
import json
import os
import re
import sys


class Collector(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        request = {"path": self.path, "headers": dict(self.headers), "body": json.loads(body)}
        with open(sys.argv[1] + ".new", "w") as f:
            json.dump(request, f)
        os.rename(sys.argv[1] + ".new", sys.argv[1])
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *args):
        pass


def check(collected, page):
    request = json.load(open(collected))
    assert request["path"] == "/v1/metrics", request["path"]
    assert request["headers"]["Content-Type"] == "application/json"
    assert request["headers"]["Authorization"] == "Bearer s3cret"
    resource = request["body"]["resourceMetrics"][0]
    names = {a["key"]: a["value"]["stringValue"] for a in resource["resource"]["attributes"]}
    assert names["service.name"] == "peerup-vpn" and names["service.version"], names
    metrics = {m["name"]: m for m in resource["scopeMetrics"][0]["metrics"]}
    used = set()
    for line in open(page):
        kind = re.match(r"# TYPE (\S+) (\S+)", line)
        if kind:
            types = {"counter": "sum", "gauge": "gauge", "histogram": "histogram"}
            current, expected = kind.group(1), types[kind.group(2)]
        elif not line.startswith("#"):
            used.add((current, expected))
    for name, expected in used:
        assert name in metrics, name + " is missing"
        data = metrics[name][expected]
        assert data["dataPoints"], name + " has no points"
        if expected != "gauge":
            assert data["aggregationTemporality"] == 2, name
        for p in data["dataPoints"]:
            assert int(p["startTimeUnixNano"]) <= int(p["timeUnixNano"]), name
            if expected == "histogram":
                assert len(p["bucketCounts"]) == len(p["explicitBounds"]) + 1, name
                assert sum(map(int, p["bucketCounts"])) == int(p["count"]), name
    assert len(used) > 40, used


if sys.argv[1] == "--check":
    check(sys.argv[2], sys.argv[3])
else:
    server = http.server.HTTPServer(("127.0.0.1", 0), Collector)
    print(server.server_port, flush=True)
    server.serve_forever()
