"""Who takes part: each makes a way from host a to host b and tells b's address on it."""

import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from lab import netns, toolchain

ROOT = Path(__file__).resolve().parents[3]
PROGRAMS = "PEERUP_BENCH_PROGRAMS"  # found before the namespaces are entered
PORT = 4001


class Broken(Exception):
    """A contestant does not come up."""


def newest_build():
    found = [p for p in ROOT.glob("build/*/src/cli/peerup-vpn") if p.is_file()]
    # A sanitizer build measures the sanitizer.
    found = [p for p in found if p.relative_to(ROOT).parts[1] not in ("sanitize", "debug", "fuzz")]
    if not found:
        raise netns.Unavailable("no release build of peerup-vpn (cmake --preset release)")
    return str(max(found, key=lambda p: p.stat().st_mtime))


def find_programs(options, names):
    if os.environ.get(PROGRAMS):
        return
    if not shutil.which("iperf3"):
        raise netns.Unavailable("needs iperf3 (deploy/packages.sh --tests)")
    found = {}
    if "wireguard-go" in names:
        found["wireguard-go"] = toolchain.wireguard_go()
    if "peerup-vpn" in names:
        found["peerup-vpn"] = os.path.abspath(options.peerup) if options.peerup else newest_build()
    os.environ[PROGRAMS] = json.dumps(found)


def program(name):
    return json.loads(os.environ[PROGRAMS])[name]


class Cable:
    """The hosts a and b and the veth between them."""

    A, B = "10.200.0.1", "10.200.0.2"

    def __init__(self, no_offload):
        self.a, self.b = netns.Netns("a"), netns.Netns("b")
        netns.veth(self.a, "eth0", self.b, "eth0")
        for host, address in ((self.a, self.A), (self.b, self.B)):
            host.configure("eth0", f"{address}/24")
            if no_offload:
                host.run(["python3", Path(__file__).with_name("offload.py"), "eth0"])


class Contestant:
    service_port = None
    address = None

    def __init__(self):
        self.processes = []

    def pids(self):
        return [p.pid for p in self.processes]

    def connect_peers(self, n):
        """Makes sure that a has n peers."""

    def stop(self):
        for p in self.processes:
            p.kill()
            p.wait()


class Veth(Contestant):
    """The bare cable: what there is to lose."""

    def __init__(self, cable, options):
        super().__init__()
        self.address = cable.B


class WireguardGo(Contestant):
    address = "10.201.0.2"

    def __init__(self, cable, options):
        super().__init__()
        self.keys = [self.key_pair(), self.key_pair()]
        for i, host in enumerate((cable.a, cable.b)):
            device = f"wg{'ab'[i]}"
            self.processes.append(host.popen(
                [program("wireguard-go"), "-f", device], stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL, env=dict(os.environ, LOG_LEVEL="error")))
            self.configure(device, self.keys[i][0], self.keys[1 - i][1],
                           (cable.B, cable.A)[i], f"10.201.0.{2 - i}")
            host.configure(device, f"10.201.0.{i + 1}/24")
        cable.a.run(["ping", "-c", "1", "-W", "5", self.address])
        self.extra = 0

    @staticmethod
    def key_pair():
        """X25519 by openssl, so that wireguard-tools are not needed."""
        pem = subprocess.run(["openssl", "genpkey", "-algorithm", "X25519", "-outform", "DER"],
                             check=True, capture_output=True).stdout
        public = subprocess.run(["openssl", "pkey", "-inform", "DER", "-pubout", "-outform", "DER"],
                                input=pem, check=True, capture_output=True).stdout
        return pem[-32:].hex(), public[-32:].hex()

    @staticmethod
    def uapi(device, text):
        path = f"/run/wireguard/{device}.sock"
        for _ in range(200):
            if os.path.exists(path):
                break
            time.sleep(0.02)
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(path)
            s.sendall(("set=1\n" + text + "\n").encode())
            answer = s.recv(4096).decode()
        if "errno=0" not in answer:
            raise Broken(f"wireguard-go {device}: {answer.strip()}")

    def configure(self, device, private, peer_public, endpoint, allowed):
        self.uapi(device, f"private_key={private}\nlisten_port=51820\npublic_key={peer_public}\n"
                          f"endpoint={endpoint}:51820\nallowed_ip={allowed}/32\n")

    def connect_peers(self, n):
        while self.extra < n - 1:
            self.extra += 1
            self.uapi("wga", f"public_key={self.key_pair()[1]}\n"
                             f"allowed_ip=10.201.1.{self.extra}/32\n")


def worker_of(pid):
    """The process that moves packets: the keeper's child, which is what was started."""
    with open(f"/proc/{pid}/task/{pid}/children") as f:
        children = f.read().split()
    return int(children[0]) if children else pid


class PeerupVpn(Contestant):
    SERVICE_PORT = 5201

    def __init__(self, cable, options):
        super().__init__()
        self.cable = cable
        self.folder = Path(tempfile.mkdtemp(dir="/run"))
        self.nodes = 0
        self.service_port = self.SERVICE_PORT
        a = self.node(cable.a, Cable.A, PORT)
        b = self.node(cable.b, Cable.B, PORT)
        self.a = a
        for this, other in ((a, b), (b, a)):
            self.cli(this, "auth", "add", other["id"], "--access", "network")
            self.cli(this, "peer", "add", other["addr"])
        self.cli(b, "service", "add", "iperf", f"127.0.0.1:{self.SERVICE_PORT}")
        self.cli(a, "name", "add", "b", b["id"])
        for node in (a, b):
            self.start(node, "up", "--foreground")
        self.wait(a, "b")
        self.address = self.find(json.loads(self.cli(b, "status", "--json")), "ipv4")
        self.ends = [worker_of(p.pid) for p in self.processes]

    def pids(self):
        return self.ends

    def node(self, host, ip, port):
        self.nodes += 1
        home = self.folder / f"node{self.nodes}"
        home.mkdir()
        node = {"host": host, "home": home}
        self.cli(node, "init", "--non-interactive")
        config = home / ".config/peerup/config.yaml"
        text = config.read_text()
        text = text.replace("/tcp/0", f"/tcp/{port}").replace("/udp/0/", f"/udp/{port}/")
        # Names are not measured, and both ends share this machine's resolv.conf.
        text = re.sub(r"^  dns:.*\n", "", text, flags=re.MULTILINE)
        text = re.sub(r"^vpn:.*\n", "vpn:\n  dns: none\n", text, flags=re.MULTILINE)
        config.write_text(text)
        node["id"] = self.find(json.loads(self.cli(node, "whoami", "--json")), "peer_id")
        node["addr"] = f"/ip4/{ip}/udp/{port}/quic-v1/p2p/{node['id']}"
        return node

    def environment(self, node):
        keep = {k: v for k, v in os.environ.items() if not k.startswith(("SUDO_", "XDG_"))}
        return dict(keep, HOME=str(node["home"]), PEERUP_RUNTIME_DIR=str(node["home"] / "run"))

    def cli(self, node, *args):
        result = node["host"].run([program("peerup-vpn"), *args], check=False,
                                  env=self.environment(node), cwd=node["home"])
        if result.returncode != 0:
            raise Broken(f"peerup-vpn {' '.join(args)}: {result.stderr.strip()}")
        return result.stdout

    def start(self, node, *args):
        log = open(node["home"] / "log", "w")
        self.processes.append(node["host"].popen(
            [program("peerup-vpn"), *args], env=self.environment(node), cwd=node["home"],
            stdout=log, stderr=log))

    def wait(self, node, name):
        for _ in range(50):
            try:
                self.cli(node, "ping", name, "-c", "1")
                return
            except Broken as e:
                why = e
            time.sleep(0.2)
        log = (node["home"] / "log").read_text()[-500:]
        raise Broken(f"no answer from {name}: {why}\n{log}")

    def connect_peers(self, n):
        """More nodes on host b, without a device, that keep a connection to a."""
        while self.nodes - 1 < n:
            extra = self.node(self.cable.b, Cable.B, PORT + self.nodes)
            self.cli(self.a, "auth", "add", extra["id"])
            self.cli(extra, "auth", "add", self.a["id"])
            self.cli(extra, "name", "add", "a", self.a["id"])
            self.cli(extra, "peer", "add", self.a["addr"])
            self.start(extra, "daemon")
            self.wait(extra, "a")
        time.sleep(1)

    @classmethod
    def find(cls, value, key):
        if isinstance(value, dict):
            if key in value:
                return value[key]
            value = list(value.values())
        if isinstance(value, list):
            for item in value:
                found = cls.find(item, key)
                if found is not None:
                    return found
        return None

    def stop(self):
        for p in self.processes:
            p.terminate()
        for p in self.processes:
            try:
                p.wait(5)
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait()


ALL = {"veth": Veth, "wireguard-go": WireguardGo, "peerup-vpn": PeerupVpn}
