#!/usr/bin/env python3
"""What idle nodes cost: bytes on the wire, wake-ups, CPU and memory.

    a ─┐
    b ─┼─ switch ─ relay        every further peer of a lives on host b
    …  ┘

All nodes list the relay, know each other's addresses, are connected, and have nothing to do.
Per process and second: how often it got the processor (voluntary context switches), CPU time;
on a's wire: bytes that went to and came from the relay and the peers, IP headers included;
anonymous memory (the program's own, without the pages of its file) of a with one peer and
with all of them. Needs root and a release build. Nothing here is part of the tests.
"""

import argparse
import json
import re
import socket
import struct
import sys
import threading
import time
from collections import Counter
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(TESTS / "support"), str(Path(__file__).resolve().parent)]

from lab import netns  # noqa: E402
import contestants  # noqa: E402
import measure  # noqa: E402

RELAY_IP = "10.200.0.9"
RELAY_PORT = 7777
ETH_P_IP = 0x0800
BYTES_BUDGET = 20  # per second and peer
WAKEUPS_BUDGET = 5


class Switch:
    """Where contestants.PeerupVpn finds its hosts."""

    def __init__(self):
        self.bridge = netns.Bridge("sw")
        self.a, self.b, self.relay = (netns.Netns(n) for n in ("a", "b", "relay"))
        for host, ip in ((self.a, contestants.Cable.A), (self.b, contestants.Cable.B),
                         (self.relay, RELAY_IP)):
            self.bridge.attach(host, "eth0")
            host.configure("eth0", f"{ip}/24")


class Nodes(contestants.PeerupVpn):
    """Nodes that also have a relay."""

    def __init__(self, switch, options):
        self.relay_folder = Path("/run/relay")
        self.relay_folder.mkdir()
        self.relay = None
        self.relay_id = None
        self.switch = switch
        if options.relay:
            self.start_relay()
        super().__init__(switch, options)

    def relay_cli(self, *args):
        return self.switch.relay.run([contestants.program("peerup-vpn"), "relay", *args],
                                     cwd=self.relay_folder).stdout

    def start_relay(self):
        config = ("version: 1\nnetwork:\n  listen_addresses:\n"
                  f"    - \"/ip4/0.0.0.0/udp/{RELAY_PORT}/quic-v1\"\n"
                  "resources: {max_reservations_per_ip: 100, private_addresses: true}\n")
        (self.relay_folder / "relay-server.yaml").write_text(config)
        (self.relay_folder / "relay-server.yaml").chmod(0o600)
        (self.relay_folder / "relay_authorized_keys").write_text("")
        (self.relay_folder / "relay_authorized_keys").chmod(0o600)
        log = open(self.relay_folder / "log", "w")
        self.relay = self.switch.relay.popen([contestants.program("peerup-vpn"), "relay", "serve"],
                                             cwd=self.relay_folder, stdout=log, stderr=log)
        for _ in range(100):
            found = re.search(r"Relay Peer ID: (\S+)", (self.relay_folder / "log").read_text())
            if found:
                self.relay_id = found[1]
                return
            time.sleep(0.05)
        raise contestants.Broken("relay: " + (self.relay_folder / "log").read_text()[-500:])

    def node(self, host, ip, port):
        node = super().node(host, ip, port)
        if self.relay:
            self.relay_cli("authorize", node["id"])
            self.cli(node, "relay", "add",
                     f"/ip4/{RELAY_IP}/udp/{RELAY_PORT}/quic-v1/p2p/{self.relay_id}")
        return node

    def stop(self):
        super().stop()
        if self.relay:
            self.relay.terminate()
            self.relay.wait(10)


class Wiretap(threading.Thread):
    """Bytes of IP packets on the device of this namespace's side, by the other end."""

    def __init__(self, device, ip):
        super().__init__(daemon=True)
        self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
        self.sock.bind((device, 0))
        self.sock.settimeout(0.5)
        self.ip = ip
        self.bytes, self.packets = Counter(), Counter()
        self.ending = False

    def run(self):
        while not self.ending:
            try:
                data, where = self.sock.recvfrom(65536)
            except socket.timeout:
                continue
            other = self.other_end(data, where[1])
            self.bytes[other] += len(data)
            self.packets[other] += 1

    def other_end(self, data, kind):
        if kind != ETH_P_IP or len(data) < 28:
            return "other"
        src, dst = socket.inet_ntoa(data[12:16]), socket.inet_ntoa(data[16:20])
        end, port = (dst, 2) if src == self.ip else (src, 0)
        at = 20 + port
        return f"{end}:{struct.unpack('!H', data[at:at + 2])[0]}"

    def stop(self):
        self.ending = True
        self.join()


def switches(pid):
    total = 0
    for status in Path(f"/proc/{pid}/task").glob("*/status"):
        total += int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", status.read_text(), re.M)[1])
    return total


def anonymous_kib(pid):
    return int(re.search(r"RssAnon:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1])


def observe(nodes, seconds):
    """Wake-ups and CPU per second of everybody, and bytes per second of a's wire."""
    pids = {"a": contestants.worker_of(nodes.processes[0].pid), "b": contestants.worker_of(nodes.processes[1].pid)}
    if nodes.relay:
        pids["relay"] = contestants.worker_of(nodes.relay.pid)
    tap = Wiretap("swp0", contestants.Cable.A)
    before = {name: (switches(p), measure.cpu_seconds([p])) for name, p in pids.items()}
    tap.start()
    time.sleep(seconds)
    tap.stop()
    result = {"wire": {}, "packets": {}}
    for name, pid in pids.items():
        woken, cpu = before[name]
        result[name] = {"wakeups_per_s": (switches(pid) - woken) / seconds,
                        "cpu_ms_per_s": 1000 * (measure.cpu_seconds([pid]) - cpu) / seconds}
    for end, n in tap.bytes.items():
        result["wire"][end] = n / seconds
        result["packets"][end] = tap.packets[end] / seconds
    return result


def show(title, result):
    print(f"\n{title}")
    for name, values in result.items():
        if name not in ("wire", "packets"):
            print(f"  {name:8} {values['wakeups_per_s']:7.2f} wake-ups/s"
                  f" {values['cpu_ms_per_s']:7.2f} ms CPU/s")
    for end, rate in sorted(result["wire"].items(), key=lambda item: -item[1])[:12]:
        print(f"  {end:22} {rate:8.1f} bytes/s {result['packets'][end]:6.2f} packets/s")


def main():
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--seconds", type=int, default=120, help="of each observation")
    p.add_argument("--settle", type=int, default=60, help="seconds before the first one")
    p.add_argument("--peers", type=int, default=10, help="connected peers for the memory figure")
    p.add_argument("--no-relay", dest="relay", action="store_false", help="without a relay")
    p.add_argument("--peerup", help="the program (default: the newest release build)")
    p.add_argument("--json", metavar="FILE", help="all figures")
    options = p.parse_args()
    contestants.find_programs(options, ["peerup-vpn"])
    netns.enter()
    nodes = Nodes(Switch(), options)
    try:
        time.sleep(options.settle)
        first = observe(nodes, options.seconds)
        pid = contestants.worker_of(nodes.processes[0].pid)
        alone = anonymous_kib(pid)
        show("one peer", first)
        nodes.connect_peers(options.peers)
        time.sleep(options.settle)
        many = observe(nodes, options.seconds)
        crowd = anonymous_kib(pid)
        show(f"{options.peers} peers", many)
    finally:
        nodes.stop()
    per_peer = (crowd - alone) / max(options.peers - 1, 1)
    peer = first["wire"].get(f"{contestants.Cable.B}:{contestants.PORT}", 0)
    relay = first["wire"].get(f"{RELAY_IP}:{RELAY_PORT}", 0)
    print(f"\nanonymous memory: {alone} KiB with one peer, {crowd} KiB with {options.peers}, "
          f"{per_peer:.0f} KiB per peer")
    print(f"to and from one peer: {peer:.1f} bytes/s, the relay: {relay:.1f} bytes/s "
          f"(budget {BYTES_BUDGET} beyond keep-alives)")
    print(f"wake-ups with one peer: {first['a']['wakeups_per_s']:.2f} per second "
          f"(budget {WAKEUPS_BUDGET})")
    if options.json:
        document = {"one": first, "many": many, "peers": options.peers, "anonymous_kib":
                    {"one": alone, "many": crowd, "per_peer": per_peer}}
        Path(options.json).write_text(json.dumps(document, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (netns.Unavailable, contestants.Broken) as e:
        sys.exit(f"idle: {e}")
