"""The Python package against real daemons: every method, and a daemon that comes and goes."""

import os
import socket
import subprocess
import sys
import threading
import unittest
import urllib.request

import peerup
from nodes import Node, WebServer, eventually

STRANGER = "12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5"


class TwoNodes(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.a, cls.b = Node("anna"), Node("bert")
        cls.a.meets(cls.b)
        cls.b.meets(cls.a)
        cls.a.start()
        cls.b.start()
        cls.client = peerup.Client(cls.a.socket)
        cls.far = peerup.Client(cls.b.socket)
        cls.web = WebServer(b"hello from bert")
        eventually(lambda: cls.answers())

    @classmethod
    def tearDownClass(cls):
        cls.web.close()
        cls.a.remove()
        cls.b.remove()

    @classmethod
    def answers(cls):
        try:
            return cls.client.ping("bert", count=1)["stats"]["received"] == 1
        except peerup.Unreachable:
            return False

    def test_status_and_lists_name_this_node_and_its_peer(self):
        self.assertEqual(self.client.status()["peer_id"], self.a.peer_id)
        self.assertIn("peer_id: " + self.a.peer_id, self.client.text("GET", "/v1/status"))
        self.assertEqual(self.client.services(), [])
        self.assertIn(self.b.peer_id, [p["id"] for p in self.client.peers()])
        self.assertIn(self.b.peer_id, [p["id"] for p in self.client.peers(all=True)])
        self.assertIn(self.b.peer_id, [p["peer_id"] for p in self.client.paths()])
        self.assertEqual(self.client.why(self.b.peer_id)["path"], "DIRECT")
        self.assertFalse(self.client.vpn()["up"])
        self.assertIn("peerup_info", [m["name"] for m in self.client.metrics()])

    def test_names_are_resolved(self):
        answer = self.client.resolve("bert")
        self.assertEqual((answer["peer_id"], answer["source"]), (self.b.peer_id, "local_config"))
        with self.assertRaises(peerup.NotFound) as caught:
            self.client.resolve("nobody")
        self.assertEqual(caught.exception.status, 404)
        self.assertIn("name not found: nobody", str(caught.exception))

    def test_peers_are_pinged_and_traced(self):
        answer = self.client.ping("bert", count=2, interval_ms=1)
        self.assertEqual([r["seq"] for r in answer["results"]], [1, 2])
        self.assertEqual(answer["stats"]["received"], 2)
        self.assertEqual(self.client.traceroute("bert")["target_id"], self.b.peer_id)
        with self.assertRaises(peerup.BadRequest):
            self.client.ping("nobody")
        with self.assertRaises(peerup.Unreachable):
            self.client.ping(STRANGER, count=1)

    def test_peers_are_let_in_and_shut_out(self):
        self.client.auth_add(STRANGER, comment="for a moment")
        self.assertIn((STRANGER, "for a moment"),
                      [(p["peer_id"], p.get("comment")) for p in self.client.auth()])
        self.client.auth_remove(STRANGER)
        self.assertNotIn(STRANGER, [p["peer_id"] for p in self.client.auth()])
        with self.assertRaises(peerup.ApiError):
            self.client.auth_remove(STRANGER)

    def test_a_service_is_exposed_reached_and_withdrawn(self):
        self.far.expose("hello", self.web.address)
        self.assertEqual([s["name"] for s in self.far.services()], ["hello"])
        eventually(lambda: "hello" in [s["name"] for s in self.client.peer_services("bert")])
        with self.client.proxy("bert", "hello") as address:
            self.assertEqual([p["listen_address"] for p in self.client.connections()], [address])
            with urllib.request.urlopen(f"http://{address}/", timeout=20) as answer:
                self.assertEqual(answer.read(), b"hello from bert")
        host, port = address.split(":")
        with self.assertRaises(ConnectionError):
            socket.create_connection((host, int(port)), timeout=5)
        with self.assertRaises(peerup.NotFound):
            self.client.disconnect("proxy-999")
        self.far.unexpose("hello")
        self.assertEqual(self.far.services(), [])

    def test_files_are_read_again(self):
        self.a.run("name", "add", "other", STRANGER)
        self.assertEqual(self.client.reload(), {"status": "reloaded"})
        self.assertEqual(self.client.resolve("other")["peer_id"], STRANGER)

    def test_odd_names_are_only_names(self):
        for name in ("a/b", "..", "x?y", "x y\r\nEvil: 1", "\u00e4"):
            with self.assertRaises(peerup.ApiError):
                self.client.why(name)
            with self.assertRaises(peerup.ApiError):
                self.client.disconnect(name)

    def test_events_tell_who_comes(self):
        heard = self.client.events("auth_change", timeout=20)
        self.client.auth_add(STRANGER)
        event = next(heard)
        self.assertEqual((event.kind, event.data["peer_id"]), ("auth_change", STRANGER))
        heard.close()
        self.client.auth_remove(STRANGER)
        with self.assertRaises(peerup.BadRequest):
            self.client.events("nonsense")
        with self.assertRaises(TimeoutError):
            next(self.client.events("relay", timeout=0.2))

    def test_the_example_runs(self):
        example = os.path.join(os.environ["PEERUP_PYTHON"], "examples", "peers.py")
        done = subprocess.run([sys.executable, example], env=self.a.environment(), cwd=self.a.home,
                              text=True, capture_output=True, timeout=60)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertRegex(done.stdout, r"(?m)^bert: \d+\.\d ms$")


class OneNode(unittest.TestCase):
    def setUp(self):
        self.node = Node("carl")
        self.client = peerup.Client(self.node.socket, timeout=20)

    def tearDown(self):
        self.node.remove()

    def test_nobody_is_there(self):
        with self.assertRaisesRegex(peerup.DaemonNotRunning, "daemon not running: .*peerup.sock"):
            self.client.status()
        self.node.start()
        self.node.crash()
        eventually(self.is_gone)
        self.assertTrue(os.path.exists(self.node.socket))

    def is_gone(self):
        try:
            self.client.status()
        except peerup.DaemonNotRunning:
            return True
        return False

    def test_a_new_cookie_is_read_once(self):
        self.node.start()
        before = self.client.status()["peer_id"]
        self.node.stop()
        self.node.start()
        self.assertEqual(self.client.status()["peer_id"], before)
        cookie = self.node.folder / ".daemon-cookie"
        cookie.write_text("0" * 64)
        self.client.status()  # the one that it knows is still right
        with self.assertRaises(peerup.Unauthorized):
            peerup.Client(self.node.socket).status()

    def test_shutdown_ends_the_daemon_and_its_events(self):
        self.node.start()
        kinds = []
        events = self.client.events(timeout=20)
        listener = threading.Thread(target=lambda: kinds.extend(e.kind for e in events))
        listener.start()
        self.assertEqual(self.client.shutdown(), {"status": "shutting down"})
        listener.join(20)
        self.assertEqual(kinds[-1:], ["stopping"])
        self.assertEqual(self.node.process.wait(20), 0)

    def test_the_daemon_is_found_as_the_commands_find_it(self):
        self.node.start()
        found = {k: os.environ.get(k) for k in ("HOME", "PEERUP_RUNTIME_DIR", "SUDO_UID")}
        os.environ["HOME"] = str(self.node.home)
        os.environ.pop("PEERUP_RUNTIME_DIR", None)
        os.environ.pop("SUDO_UID", None)
        try:
            self.assertEqual(peerup.Client().status()["peer_id"], self.node.peer_id)
            os.environ["PEERUP_RUNTIME_DIR"] = "/nowhere"
            self.assertEqual(peerup.Client().socket_path, "/nowhere/peerup.sock")
            del os.environ["PEERUP_RUNTIME_DIR"]
            self.assertEqual(peerup.Client(config="/etc/peerup/x.yaml").socket_path,
                             "/run/peerup/peerup.sock")
            self.assertEqual(peerup.Client(config="/etc/peerup/work/config.yaml").socket_path,
                             "/run/peerup-work/peerup.sock")
            (self.node.folder / "work").mkdir()
            (self.node.folder / "work" / "config.yaml").touch()
            self.assertEqual(peerup.Client(instance="work").socket_path,
                             str(self.node.folder / "work" / "peerup.sock"))
        finally:
            for key, value in found.items():
                os.environ.pop(key, None)
                if value is not None:
                    os.environ[key] = value


class Impostors(unittest.TestCase):
    """What answers on the socket is not our daemon."""

    def answer_with(self, raw):
        folder = Node("eve")
        self.addCleanup(folder.remove)
        server = socket.socket(socket.AF_UNIX)
        self.addCleanup(server.close)
        server.bind(folder.socket)
        server.listen()
        (folder.folder / ".daemon-cookie").write_text("0" * 64)

        def serve():
            try:
                while True:
                    with server.accept()[0] as connection:
                        connection.recv(65536)
                        connection.sendall(raw)
            except OSError:
                pass

        threading.Thread(target=serve, daemon=True).start()
        return peerup.Client(folder.socket, timeout=5)

    def test_rubbish_is_recognised(self):
        for raw in (b"ssh-2.0\r\n\r\n", b"HTTP/1.0 200 OK\r\n\r\n{}", b"HTTP/1.0 200 OK\r\n\r\n[",
                    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{}"):
            with self.subTest(raw=raw), self.assertRaises(peerup.NotOurDaemon):
                self.answer_with(raw).status()
        with self.assertRaises(peerup.DaemonNotRunning):
            self.answer_with(b"").status()
        with self.assertRaises(peerup.ApiError) as caught:
            self.answer_with(b"HTTP/1.0 500 No\r\n\r\nout of order\n").status()
        self.assertEqual((caught.exception.status, str(caught.exception)), (500, "out of order"))


if __name__ == "__main__":
    unittest.main()
