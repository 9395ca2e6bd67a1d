#!/usr/bin/env python3
"""conformance.py PROGRAM OPENAPI: every operation of the description is asked of a real daemon,
and every answer is as the description says: each status, each field, each type. An operation
that the description has and this script does not know is a failure: tell below how to ask it."""
import json
import os
import sys

import lab
import schema

STRANGER = "12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5"

# Statuses that no test can bring about in a sound daemon, and operations left to other tests.
NOT_TRIED = {
    ("traceroute", 500): "memory must be out",
    **{(name, status): "needs a relay or another machine; tests of pairing have one"
       for name, statuses in {"invite": (200, 409), "invitation": (200,), "uninvite": (200,),
                              "join": (200, 403, 404, 409, 502),
                              "wake": (200, 500, 502)}.items() for status in statuses},
}


class Run:
    def __init__(self, doc, a, b):
        self.doc, self.a, self.b = doc, a, b
        self.seen = set()
        self.ops = {}
        for path, methods in doc["paths"].items():
            for method, op in methods.items():
                self.ops[op["operationId"]] = (method.upper(), path, op)

    def described(self, name, status):
        answer = self.ops[name][2]["responses"].get(str(status))
        assert answer, "%s: %d is not described" % (name, status)
        return schema.look_up(self.doc, answer["$ref"]) if "$ref" in answer else answer

    def judge(self, name, answer):
        content = self.described(name, answer.status)["content"]
        kind = answer.headers["content-type"]
        assert kind in content, "%s: %s is not described" % (name, kind)
        if kind == "application/json":
            try:
                schema.check(self.doc, content[kind]["schema"], answer.json())
            except schema.Mismatch as e:
                raise AssertionError("%s %d: %s" % (name, answer.status, e)) from e
        self.seen.add((name, answer.status))
        self.seen.add((name, answer.status, kind))

    def ask(self, name, /, status=200, body=None, query="", node=None, **params):
        method, path, op = self.ops[name]
        path = path.format(**params) + query
        answer = (node or self.a).ask(method, path, body)
        assert answer.status == status, (name, answer)
        self.judge(name, answer)
        if status == 200 and "text/plain" in op["responses"]["200"]["content"]:
            mark = "&" if "?" in path else "?"
            text = (node or self.a).ask(method, path + mark + "format=text", body)
            assert text.status == 200, (name, text)
            self.judge(name, text)
        return answer.json()["data"] if status == 200 else answer.json()["error"]

    # --- what goes well

    def reading(self):
        a, b = self.a, self.b
        assert self.ask("status")["peer_id"] == a.id
        assert [p["id"] for p in self.ask("peers")] == [b.id]
        assert b.id in [p["id"] for p in self.ask("peers", query="?all=true")]
        assert [m["comment"] for m in self.ask("authList")] == ["a friend"]
        assert [p["peer_id"] for p in self.ask("paths")] == [b.id]
        assert self.ask("why", peer="b")["connected"]
        assert self.ask("why", peer=b.id)["path"] == "DIRECT"
        assert self.ask("vpn") == {"up": False, "routes": []}
        metrics = {m["name"]: m for m in self.ask("metrics")}
        requests = metrics["peerup_daemon_requests_total"]["series"]
        assert [s for s in requests if s["labels"]["path"] == "/v1/vpn" and s["value"] >= 1]
        paths = metrics["peerup_connected_peers"]["series"]
        assert sum(s["value"] for s in paths) == 1
        assert [s["name"] for s in self.ask("services", node=b)] == ["echo"]
        lab.wait_for("b's offer", lambda: self.ask("peerServices", peer="b"))
        assert self.ask("resolve", body={"name": "b"})["source"] == "local_config"
        assert self.ask("resolve", body={"name": STRANGER})["source"] == "peer_id"

    def doing(self):
        ping = self.ask("ping", body={"peer": "b", "count": 2, "interval_ms": 1})
        assert ping["stats"]["received"] == 2, ping
        assert self.ask("traceroute", body={"peer": "b"})["target_id"] == self.b.id
        self.ask("authAdd", body={"peer_id": STRANGER, "comment": "x", "access": "network",
                                  "expires_at": "2100-01-01T00:00:00Z"})
        entry = [m for m in self.ask("authList") if m["peer_id"] == STRANGER]
        assert entry[0]["expires_at"] == "2100-01-01T00:00:00Z", entry
        with open(self.a.keys, encoding="utf-8") as f:
            assert STRANGER in f.read()
        self.ask("authAdd", 500, {"peer_id": STRANGER})
        self.ask("authRemove", peer_id=STRANGER)
        self.ask("authRemove", 500, peer_id=STRANGER)
        with open(self.a.keys, encoding="utf-8") as f:
            assert STRANGER not in f.read()
        self.ask("expose", body={"name": "web", "local_address": "localhost:80"})
        self.ask("expose", 500, {"name": "web", "local_address": "localhost:80"})
        assert [s["temporary"] for s in self.ask("services")] == [True]
        self.ask("unexpose", name="web")
        self.ask("unexpose", 404, name="web")
        self.ask("reload")

    def proxies(self):
        want = {"peer": "b", "service": "echo", "listen": "localhost:0"}
        proxy = self.ask("connect", body=want)
        assert proxy["id"] == "proxy-1", proxy
        host, port = proxy["listen_address"].rsplit(":", 1)
        assert host == "127.0.0.1", proxy
        echo(int(port), b"hello " * 10000)
        echo(int(port), b"")
        assert self.ask("proxies")[0]["connections"] == 2
        self.ask("connect", 500, {**want, "listen": proxy["listen_address"]})
        # A service that b does not have: the connection ends, and does not hang.
        other = self.ask("connect", body={**want, "service": "nothing"})
        assert is_reset(int(other["listen_address"].rsplit(":", 1)[1]))
        self.ask("disconnect", id="proxy-1")
        self.ask("disconnect", 404, id="proxy-1")
        assert not is_open(int(port))

    def events(self):
        with lab.Events(self.a) as e, lab.Events(self.a, "?kind=config") as only:
            self.ask("reload")
            block, value = e.next("config")
            schema.check(self.doc, self.doc["components"]["schemas"]["Event"], value)
            assert only.block() == block
            self.seen.add(("events", 200))
            streams = [lab.Events(self.a) for _ in range(14)]
            self.judge("events", self.a.ask("GET", "/v1/events"))
            for s in streams:
                s.sock.close()
        # Who left makes room within a second or so.
        last = str(int(block["id"]) - 1)
        with lab.wait_for("room for a stream", lambda: self.stream(last)) as again:
            assert again.next("config")[0] == block

    def stream(self, last):
        try:
            return lab.Events(self.a, last=last)
        except AssertionError:
            return None

    # --- what goes wrong

    def mistakes(self):
        self.ask("events", 400, query="?kind=nonsense")
        self.ask("why", 404, peer="nobody")
        self.ask("peerServices", 404, peer="nobody")
        self.ask("resolve", 404, {"name": "nobody"})
        for name in ("authAdd", "ping", "traceroute", "resolve", "connect", "expose"):
            self.ask(name, 400, {})
            self.ask(name, 400, b"{")
            self.ask(name, 400, b"[]")
        self.ask("ping", 400, {"peer": "nobody"})
        far = {"peer": STRANGER, "service": "ssh", "listen": ":0", "count": 1}
        for name in ("ping", "traceroute", "connect"):
            self.ask(name, 502, far)

    def pairing(self):
        assert self.ask("invites") == []
        self.ask("invitation", 404, id="1")
        self.ask("uninvite", 404, id="1")
        # On loopback there is no address that anybody could reach.
        self.ask("invite", 502, {})
        self.ask("invite", 400, {"access": "everything"})
        self.ask("join", 400, {"code": "nonsense"})
        self.ask("wake", 400, {"peer": "b", "via": "b"})

    def without_gating(self):
        edit(self.a.config, "enable_connection_gating: true", "enable_connection_gating: false")
        self.ask("reload")
        self.ask("authRemove", 400, peer_id=STRANGER)
        self.ask("authAdd", 400, {"peer_id": STRANGER})
        assert self.ask("authList") == []
        edit(self.a.config, "enable_connection_gating: false", "enable_connection_gating: true")
        self.ask("reload")

    def broken_files(self):
        edit(self.a.config, "version: 1", "version: [")
        assert "config.yaml" in self.ask("reload", 500)
        edit(self.a.config, "version: [", "version: 1")
        os.rename(self.a.keys, self.a.keys + "-")
        os.mkdir(self.a.keys)
        self.ask("authList", 500)
        os.rmdir(self.a.keys)
        os.rename(self.a.keys + "-", self.a.keys)
        self.ask("reload")

    def strangers(self):
        for name, (method, path, _) in self.ops.items():
            answer = self.a.ask(method, path, token="0" * 64)
            assert answer.status == 401, (name, answer)
            self.judge(name, answer)

    def everything_was_seen(self):
        missing = []
        for name, (_, _, op) in self.ops.items():
            if name in NOT_TRIED:
                continue
            for status, answer in op["responses"].items():
                if (name, int(status)) not in self.seen | set(NOT_TRIED):
                    missing.append("%s %s" % (name, status))
            for kind in op["responses"]["200"]["content"]:
                if kind == "text/plain" and (name, 200, kind) not in self.seen:
                    missing.append("%s as text" % name)
        assert not missing, "described and never seen: " + ", ".join(missing)


def edit(path, old, new):
    with open(path, encoding="utf-8") as f:
        text = f.read()
    assert old in text, (path, old)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text.replace(old, new))


def echo(port, data):
    with lab.socket.create_connection(("127.0.0.1", port), lab.PATIENCE) as s:
        s.sendall(data)
        s.shutdown(lab.socket.SHUT_WR)
        got = b""
        while True:
            more = s.recv(65536)
            if not more:
                break
            got += more
        assert got == data, (len(got), len(data))


def is_reset(port):
    with lab.socket.create_connection(("127.0.0.1", port), lab.PATIENCE) as s:
        try:
            return s.recv(1) == b""
        except ConnectionResetError:
            return True


def is_open(port):
    try:
        lab.socket.create_connection(("127.0.0.1", port), lab.PATIENCE).close()
    except ConnectionRefusedError:
        return False
    return True


def main():
    program, description = sys.argv[1:]
    with open(description, encoding="utf-8") as f:
        doc = json.load(f)
    with lab.lab(program) as (a, b):
        run = Run(doc, a, b)
        lab.wait_for("a and b to meet", lambda: a.get("/v1/paths"))
        run.reading()
        run.doing()
        run.proxies()
        run.events()
        run.mistakes()
        run.pairing()
        run.without_gating()
        run.broken_files()
        run.strangers()
        run.ask("shutdown")
        assert a.daemon.wait(lab.PATIENCE) == 0
        a.daemon = None
        run.everything_was_seen()
        print("%d operations, %d kinds of answers" % (len(run.ops), len(run.seen)))


if __name__ == "__main__":
    main()
