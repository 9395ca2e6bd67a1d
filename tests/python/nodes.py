"""Real nodes without a device, in processes of their own, for tests of clients."""

import http.server
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

PROGRAM = os.environ["PEERUP"]
PATIENCE_S = 30


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def eventually(what, patience=PATIENCE_S):
    """The first true result of what()."""
    end = time.monotonic() + patience
    while True:
        result = what()
        if result:
            return result
        assert time.monotonic() < end, "it never came"
        time.sleep(0.05)


class Node:
    def __init__(self, name: str) -> None:
        self.name = name
        self.home = pathlib.Path(tempfile.mkdtemp(prefix=f"pu_{name}_"))
        self.folder = self.home / ".config" / "peerup"
        self.socket = str(self.folder / "peerup.sock")
        self.port = free_port()
        self.process = None
        self.run("init", "--non-interactive", "--port", str(self.port))
        self.peer_id = self.run("whoami").strip()
        # The neighbourhood of the machine that tests is not part of the test.
        config = self.folder / "config.yaml"
        config.write_text(config.read_text().replace("0.0.0.0", "127.0.0.1"))

    def environment(self) -> dict:
        env = {k: v for k, v in os.environ.items() if not k.startswith(("SUDO_", "PEERUP_R"))}
        # The leak checker cannot look into a daemon that locked itself up, and fails its exit.
        return env | {"HOME": str(self.home), "ASAN_OPTIONS": "detect_leaks=0"}

    def run(self, *words: str, check: bool = True) -> str:
        done = subprocess.run(
            [PROGRAM, *words], env=self.environment(), cwd=self.home, text=True,
            stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE_S,
        )
        assert not check or done.returncode == 0, f"{words}: {done.stderr}"
        return done.stdout

    def meets(self, other: "Node") -> None:
        self.run("auth", "add", other.peer_id)
        self.run("name", "add", other.name, other.peer_id)
        self.run("peer", "add", f"/ip4/127.0.0.1/udp/{other.port}/quic-v1/p2p/{other.peer_id}")

    def start(self) -> None:
        log = (self.home / "log").open("ab")
        self.process = subprocess.Popen(
            [PROGRAM, "daemon"], env=self.environment(), cwd=self.home,
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )
        log.close()
        eventually(lambda: (self.folder / ".daemon-cookie").exists())

    def stop(self) -> None:
        if self.process:
            self.process.terminate()
            self.process.wait(PATIENCE_S)
            self.process = None

    def crash(self) -> None:
        """All its processes at once; socket and cookie stay behind."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(PATIENCE_S)
        self.process = None

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.home)


class WebServer:
    """Answers every GET with its own words."""

    def __init__(self, words: bytes) -> None:
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Length", str(len(words)))
                self.end_headers()
                self.wfile.write(words)

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
