"""Two real nodes without devices, b offering an echo service to a, and a client of a's control
API that knows no library: what is sent and received are bytes."""
import contextlib
import json
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time

PATIENCE = 30  # seconds until something counts as not happening


def wait_for(what, check):
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        value = check()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError("not within %d s: %s" % (PATIENCE, what))


def free_port():
    with contextlib.closing(socket.socket()) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Answer:
    """One HTTP answer, cut from the bytes of a connection."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        assert self.headers["content-type"] == "application/json", self
        assert self.body.endswith(b"\n") and self.body.count(b"\n") == 1, self.body
        return json.loads(self.body)

    def data(self):
        assert self.status == 200, self
        value = self.json()
        assert list(value) == ["data"], value
        return value["data"]

    def error(self, status):
        assert self.status == status, self
        value = self.json()
        assert list(value) == ["error"], value
        return value["error"]

    def __repr__(self):
        return "%d %r %r" % (self.status, self.headers, self.body)


class Conn:
    """A connection to a control socket."""

    def __init__(self, node):
        self.node = node
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(PATIENCE)
        self.sock.connect(node.socket)
        self.got = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def send(self, data):
        self.sock.sendall(data)

    def request(self, method, path, body=None, headers=None, token=None):
        lines = {"Host": "daemon", "Authorization": "Bearer " + (token or self.node.token())}
        data = b"" if body is None else body if isinstance(body, bytes) else \
            json.dumps(body).encode()
        if data or method == "POST":
            lines["Content-Length"] = str(len(data))
        lines.update(headers or {})
        head = "%s %s HTTP/1.1\r\n" % (method, path)
        head += "".join("%s: %s\r\n" % item for item in lines.items() if item[1] is not None)
        return head.encode() + b"\r\n" + data

    def more(self):
        chunk = self.sock.recv(65536)
        self.got += chunk
        return chunk

    def until(self, mark):
        while mark not in self.got:
            if not self.more():
                raise EOFError("closed after %r" % self.got)
        head, self.got = self.got.split(mark, 1)
        return head

    def exactly(self, n):
        while len(self.got) < n:
            if not self.more():
                raise EOFError("closed after %r" % self.got)
        data, self.got = self.got[:n], self.got[n:]
        return data

    def head(self):
        lines = self.until(b"\r\n\r\n").decode().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines[1:])
        return int(lines[0].split()[1]), {k.lower(): v for k, v in headers.items()}

    def answer(self, method="GET"):
        status, headers = self.head()
        n = 0 if method == "HEAD" else int(headers["content-length"])
        return Answer(status, headers, self.exactly(n))

    def ask(self, method, path, body=None, headers=None, token=None):
        self.send(self.request(method, path, body, headers, token))
        return self.answer(method)

    def chunk(self):
        n = int(self.until(b"\r\n"), 16)
        data = self.exactly(n)
        assert self.until(b"\r\n") == b""
        return data


class Events(Conn):
    """The event stream."""

    def __init__(self, node, query="", last=None):
        super().__init__(node)
        self.text = b""
        self.send(self.request("GET", "/v1/events" + query,
                               headers={"Last-Event-ID": last} if last else {}))
        self.status, self.headers = self.head()
        assert self.status == 200, self.status
        assert self.headers["content-type"] == "text/event-stream", self.headers
        assert self.block() == {"retry": "2000"}

    def block(self):
        """The next block of lines; None at the end of the stream."""
        while b"\n\n" not in self.text:
            data = self.chunk()
            if not data:
                return None
            self.text += data
        lines, self.text = self.text.split(b"\n\n", 1)
        return dict(line.split(": ", 1) for line in lines.decode().split("\n"))

    def next(self, kind):
        while True:
            block = self.block()
            assert block is not None, "the stream ended before " + kind
            if block.get("event") == kind:
                value = json.loads(block["data"])
                assert value["kind"] == kind, value
                return block, value


class Node:
    def __init__(self, program, top, name):
        self.program, self.name = program, name
        self.home = os.path.join(top, name)
        self.run_dir = os.path.join(self.home, "run")
        self.config = os.path.join(self.home, ".config/peerup/config.yaml")
        self.keys = os.path.join(self.home, ".config/peerup/authorized_keys")
        self.socket = os.path.join(self.run_dir, "peerup.sock")
        self.port = free_port()
        self.daemon = None
        os.makedirs(self.run_dir)
        self.cli("init", "--non-interactive", "--port", str(self.port))
        self.only_loopback()
        self.id = self.cli("whoami").split()[-1]

    def env(self):
        keep = {k: v for k, v in os.environ.items() if not k.startswith("SUDO_")}
        return {**keep, "HOME": self.home, "PEERUP_RUNTIME_DIR": self.run_dir}

    def cli(self, *args):
        done = subprocess.run([self.program, *args], env=self.env(), cwd=self.home,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              stdin=subprocess.DEVNULL, text=True, timeout=60, check=False)
        assert done.returncode == 0, (args, done)
        return done.stdout

    def only_loopback(self):
        with open(self.config, encoding="utf-8") as f:
            lines = f.read().split("\n")
        lines = [line.replace("/ip4/0.0.0.0/", "/ip4/127.0.0.1/") for line in lines
                 if "/ip6/::/" not in line]
        lines = [line + "\n  mdns: false" if line == "discovery:" else line for line in lines]
        with open(self.config, "w", encoding="utf-8") as f:
            f.write("\n".join(lines))

    def addr(self):
        return "/ip4/127.0.0.1/tcp/%d/p2p/%s" % (self.port, self.id)

    def start(self):
        with open(os.path.join(self.home, "log"), "ab") as log:
            self.daemon = subprocess.Popen([self.program, "daemon"], env=self.env(),
                                           cwd=self.home, stdout=log, stderr=log,
                                           stdin=subprocess.DEVNULL)
        wait_for("the API of " + self.name, self.answers)

    def answers(self):
        assert self.daemon.poll() is None, self.log()
        try:
            return self.ask("GET", "/v1/status").status == 200
        except (OSError, EOFError):
            return False

    def stop(self):
        if self.daemon:
            self.daemon.terminate()
            code = self.daemon.wait(PATIENCE)
            assert code == 0, (code, self.log())
        self.daemon = None

    def log(self):
        with open(os.path.join(self.home, "log"), encoding="utf-8", errors="replace") as f:
            return f.read()

    def token(self):
        with open(os.path.join(self.run_dir, ".daemon-cookie"), encoding="ascii") as f:
            return f.read()

    def conn(self):
        return Conn(self)

    def ask(self, method, path, body=None, headers=None, token=None):
        with Conn(self) as c:
            return c.ask(method, path, body, headers, token)

    def get(self, path):
        return self.ask("GET", path).data()


class Echo:
    """A TCP service that answers with what it hears."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            s, _ = self.listener.accept()
            threading.Thread(target=self.echo, args=(s,), daemon=True).start()

    @staticmethod
    def echo(s):
        with s, contextlib.suppress(OSError):
            while True:
                data = s.recv(65536)
                if not data:
                    return
                s.sendall(data)


@contextlib.contextmanager
def lab(program):
    top = tempfile.mkdtemp(prefix="pu_api_")
    nodes = []
    try:
        a, b = Node(program, top, "a"), Node(program, top, "b")
        nodes = [a, b]
        echo = Echo()
        b.cli("service", "add", "echo", "127.0.0.1:%d" % echo.port)
        b.cli("auth", "add", a.id)
        a.cli("auth", "add", b.id, "--comment", "a friend")
        a.cli("name", "add", "b", b.id)
        a.cli("peer", "add", b.addr())
        for n in nodes:
            n.start()
        yield a, b
        for n in nodes:
            n.stop()
    except BaseException:
        for n in nodes:
            if n.daemon or os.path.exists(os.path.join(n.home, "log")):
                print("--- log of", n.name)
                print(n.log()[-4000:])
        raise
    finally:
        for n in nodes:
            if n.daemon:
                n.daemon.kill()
                n.daemon.wait()
        shutil.rmtree(top)
