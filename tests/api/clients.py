#!/usr/bin/env python3
"""clients.py PROGRAM: what clients of the control API may do to it, all at once or each for
itself: hundreds of them, slow ones, ones that speak nonsense, ones that leave in the middle.
The daemon answers the next one as if nothing had been, and what it holds stays bounded."""
import contextlib
import os
import socket
import struct
import sys
import threading
import time
import traceback

import lab

PARALLEL = 100
ROUNDS = 5
BODY_MAX = 1024 * 1024
CONNS_MAX = 128


def healthy(a):
    assert a.get("/v1/status")["peer_id"] == a.id


def rss_kib(a):
    with open("/proc/%d/status" % a.daemon.pid, encoding="ascii") as f:
        return int(next(line for line in f if line.startswith("VmRSS")).split()[1])


def n_fds(a):
    return len(os.listdir("/proc/%d/fd" % a.daemon.pid))


def all_at_once(work, n=PARALLEL):
    failures = []

    def guarded(i):
        try:
            work(i)
        except Exception as e:  # every failure is shown, whatever it is
            failures.append(repr(e))

    threads = [threading.Thread(target=guarded, args=(i,)) for i in range(n)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failures, "%d failed, such as %s" % (len(failures), failures[:3])


def many_clients_are_all_served(a):
    def work(i):
        with a.conn() as c:
            for j in range(ROUNDS):
                name = "x%d-%d" % (i, j)
                assert name in c.ask("POST", "/v1/resolve", {"name": name}).error(404)
                assert c.ask("GET", "/v1/services").data() == []

    all_at_once(work)


def more_clients_than_places_wait(a):
    idle = [a.conn() for _ in range(CONNS_MAX)]
    late = a.conn()
    late.send(late.request("GET", "/v1/status"))
    for c in idle:
        c.sock.close()
    with late:
        assert late.answer().data()["peer_id"] == a.id


def changes_at_once_are_all_kept(a):
    def work(i):
        name = "svc-%d" % i
        assert a.ask("POST", "/v1/expose", {"name": name, "local_address": "localhost:%d" %
                                            (1000 + i)}).data() == {"status": "exposed"}

    all_at_once(work, 50)
    assert len(a.get("/v1/services")) == 50
    all_at_once(lambda i: a.ask("DELETE", "/v1/expose/svc-%d" % i).data(), 50)
    assert a.get("/v1/services") == []


def requests_may_follow_without_waiting(a):
    with a.conn() as c:
        names = ["n%d" % i for i in range(200)]
        c.send(b"".join(c.request("POST", "/v1/resolve", {"name": n}) for n in names))
        for n in names:
            assert c.answer().error(404).endswith(" " + n)
    # One that takes its time does not change their order.
    with a.conn() as c:
        c.send(c.request("POST", "/v1/ping", {"peer": "b", "count": 2, "interval_ms": 50}) +
               c.request("GET", "/v1/auth") + c.request("GET", "/v1/nothing"))
        assert c.answer().data()["stats"]["received"] == 2
        assert len(c.answer().data()) == 1
        assert c.answer().status == 404


def a_request_may_come_byte_by_byte(a):
    with a.conn() as c:
        for byte in c.request("POST", "/v1/resolve", {"name": "b"}):
            c.send(bytes([byte]))
        assert c.answer().data()["source"] == "local_config"


def slow_clients_hold_up_nobody(a):
    slow = [a.conn() for _ in range(40)]
    for i, c in enumerate(slow):
        data = c.request("POST", "/v1/resolve", {"name": "b"})
        c.send(data[:(i * 7) % (len(data) - 1) + 1])
    for _ in range(10):
        healthy(a)
    for c in slow:
        c.sock.close()


def a_drip_of_bytes_does_not_keep_a_place(a):
    """The whole request has to be there within half a minute, however busy its sender is."""
    with a.conn() as c:
        c.send(b"GET /v1/status HTTP/1.1\r\n")
        end = time.monotonic() + 90
        with contextlib.suppress(OSError):
            while time.monotonic() < end:
                c.send(b"X: y\r\n")
                c.sock.settimeout(2)
                with contextlib.suppress(socket.timeout):
                    if not c.sock.recv(100):
                        return
            raise AssertionError("still connected")


def bodies_have_a_limit(a):
    name = "y" * (BODY_MAX - 100)
    with a.conn() as c:
        assert "name not found" in c.ask("POST", "/v1/resolve", {"name": name}).error(404)
    for size in (BODY_MAX + 1, 4 * BODY_MAX):
        with a.conn() as c:
            c.send(c.request("POST", "/v1/resolve", b" " * size))
            assert c.answer().error(400) == "invalid request body"
    # Nobody reads on for ever.
    with a.conn() as c, contextlib.suppress(OSError, EOFError):
        c.send(c.request("POST", "/v1/resolve", b" ", {"Content-Length": str(1 << 40)}))
        for _ in range(64):
            c.send(b" " * BODY_MAX)
        raise AssertionError("64 MiB were read")
    healthy(a)


def large_bodies_together_have_a_limit(a):
    before = rss_kib(a)
    conns = [a.conn() for _ in range(30)]
    for c in conns:
        c.send(c.request("POST", "/v1/resolve", b" " * (BODY_MAX - 1))[:-1])
    healthy(a)
    grown = rss_kib(a) - before
    assert grown < 24 * 1024, "%d KiB for unfinished requests" % grown
    for c in conns:
        c.sock.close()


def headers_have_a_limit(a):
    for data in (b"GET /v1/status HTTP/1.1\r\nX: " + b"a" * 300000,
                 b"GET /" + b"a" * 300000 + b" HTTP/1.1\r\n\r\n",
                 b"GET /v1/status HTTP/1.1\r\n" + b"X: y\r\n" * 60000 + b"\r\n"):
        with a.conn() as c, contextlib.suppress(OSError, EOFError):
            c.send(data)
            assert c.answer().status >= 400
    healthy(a)


def nonsense_is_refused(a):
    token = a.token().encode()
    auth = b"Authorization: Bearer " + token + b"\r\n"
    requests = (
        b"GET\r\n\r\n", b"GET /v1/status\r\n\r\n", b"\0\0\0\0", b"\xff" * 1000,
        b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /v1/status HTTP/1.1\r\nHost: d\r\n" + auth.replace(b": ", b" : ") + b"\r\n",
        b"GET /v1/status HTTP/1.1\r\nHost: d\r\nAuthorization: Bearer " + token[:-1] + b"\r\n\r\n",
        b"GET /v1/status HTTP/1.1\r\nHost: d\r\nAuthorization:\r\n Bearer " + token[:9] +
        b"\r\n\r\n",
        b"POST /v1/resolve HTTP/1.1\r\nHost: d\r\n" + auth + b"Content-Length: -1\r\n\r\n{}",
        b"POST /v1/resolve HTTP/1.1\r\nHost: d\r\n" + auth + b"Content-Length: 9x\r\n\r\n{}",
        b"POST /v1/resolve HTTP/1.1\r\nHost: d\r\n" + auth +
        b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n",
        b"POST /v1/resolve HTTP/1.1\r\nHost: d\r\n" + auth +
        b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
    )
    for data in requests:
        with a.conn() as c:
            c.send(data)
            c.sock.shutdown(socket.SHUT_WR)
            # What is no whole request may go without an answer until its time is over.
            c.sock.settimeout(1)
            with contextlib.suppress(OSError, EOFError):
                assert c.answer().status != 200, data
    healthy(a)


def chunked_bodies_are_bodies(a):
    with a.conn() as c:
        head = c.request("POST", "/v1/resolve", headers={"Transfer-Encoding": "chunked",
                                                         "Content-Length": None})
        c.send(head + b"7\r\n{\"name\"\r\n5\r\n:\"b\"}\r\n0\r\n\r\n")
        assert c.answer().data()["name"] == "b"


def who_leaves_in_the_middle_is_forgotten(a):
    before = n_fds(a)
    asked = ("GET", "/v1/status", None), ("POST", "/v1/ping", {"peer": "b", "count": 1000}), \
        ("GET", "/v1/events", None), ("POST", "/v1/traceroute", {"peer": "b"}), \
        ("POST", "/v1/connect", {"peer": "b", "service": "echo", "listen": "localhost:0"})
    reset = struct.pack("ii", 1, 0)
    for i in range(60):
        c = a.conn()
        data = c.request(*asked[i % len(asked)])
        c.send(data if i % 2 else data[:len(data) // 2])
        if i % 3 == 0:
            c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
        c.sock.close()
    lab.wait_for("all of them to be forgotten", lambda: n_fds(a) <= before + proxies(a))
    healthy(a)
    for p in a.get("/v1/connect"):
        a.ask("DELETE", "/v1/connect/" + p["id"]).data()


def proxies(a):
    return len(a.get("/v1/connect"))


def stream(a):
    try:
        return lab.Events(a)
    except AssertionError:  # those of clients that left go within a second or so
        return None


def answers_that_nobody_reads_are_bounded(a):
    """A reader that stops has the daemon keep its events for others, not for itself."""
    streams = [lab.wait_for("room for a stream", lambda: stream(a)) for _ in range(16)]
    before = rss_kib(a)
    for _ in range(3000):
        a.ask("POST", "/v1/reload").data()
    grown = rss_kib(a) - before
    assert grown < 8 * 1024, "%d KiB for readers that sleep" % grown
    for s in streams:
        n = 0
        while n < 3000:
            block = s.block()
            if block["event"] == "lost":
                n += int(block["data"].split(":")[-1].rstrip("}"))
            elif block["event"] == "config":
                n += 1
        s.sock.close()


def a_stop_waits_for_no_client(a):
    """Readers of events that read and that do not, requests that are half said."""
    streams = [lab.wait_for("room for a stream", lambda: stream(a)) for _ in range(16)]
    others = [a.conn() for _ in range(50)]
    for i, c in enumerate(others):
        request = c.request("GET", "/v1/events" if i % 2 else "/v1/status")
        c.send(request if i % 5 else request[:-2 - i])
    for s in streams[:8]:
        s.sock.settimeout(10)
    since = time.monotonic()
    a.stop()
    assert time.monotonic() - since < 5, "it waited for somebody"
    for s in streams[:8]:
        with contextlib.suppress(ConnectionResetError, EOFError):
            while s.block() is not None:
                pass
    for c in streams + others:
        c.sock.close()
    a.start()
    assert stream(a), "no events after it"


FAILED = []


def run(a, test):
    since = time.monotonic()
    try:
        test(a)
        healthy(a)
    except Exception:  # also in the thread
        FAILED.append(test.__name__)
        traceback.print_exc()
    print("%5.1f s  %s" % (time.monotonic() - since, test.__name__.replace("_", " ")), flush=True)


def main():
    tests = [many_clients_are_all_served, more_clients_than_places_wait,
             changes_at_once_are_all_kept, requests_may_follow_without_waiting,
             a_request_may_come_byte_by_byte, slow_clients_hold_up_nobody, bodies_have_a_limit,
             large_bodies_together_have_a_limit, headers_have_a_limit, nonsense_is_refused,
             chunked_bodies_are_bodies, who_leaves_in_the_middle_is_forgotten,
             answers_that_nobody_reads_are_bounded]
    with lab.lab(sys.argv[1]) as (a, _):
        lab.wait_for("a and b to meet", lambda: a.get("/v1/paths"))
        # This one needs its time, whatever the others do meanwhile.
        drip = threading.Thread(target=run, args=(a, a_drip_of_bytes_does_not_keep_a_place))
        drip.start()
        for test in tests:
            run(a, test)
        drip.join()
        run(a, a_stop_waits_for_no_client)
        assert not FAILED, FAILED


if __name__ == "__main__":
    main()
