"""What the cases of matrix.json do and demand. Each procedure gets a Bench with
both peers running and raises Failed."""

import hashlib
import re
import time
from pathlib import Path

from lab import netns
from nat import Router
from peer import Failed, Peer

ECHO = "/interop/echo/1.0.0"
SINK = "/interop/sink/1.0.0"
SOURCE = "/interop/source/1.0.0"
RESET = "/interop/reset/1.0.0"
PINGPONG = "/pingpong/1.0.0"
IDENTIFY = "/ipfs/id/1.0.0"
DCUTR = "/libp2p/dcutr"

MIB = 1 << 20
PORT = 4001


class Bench:
    """Topology T1, one namespace per peer, isolated from any real network but with
    addresses that all implementations take for public:

        we 11.0.N.1, 2a00:b:N::1 ───┤ bridge ├─── peer 11.0.N.2, 2a00:b:N::2

    Cases with a "link" have the link emulator in place of the bridge (T4). Cases with a
    "cast" say who plays which part: there may be a relay (11.0.N.3), and then the others
    listen nowhere but behind it. Cases with "mdns" have everybody look for peers on the link,
    whose addresses are private then (10.77.N.1, fd00:b:N::1). Cases with "kad" have the roles in
    it join the DHT in that mode; everybody listens then, n4 to n12 (11.0.N.4 …) as well (T3). Cases with "nat" have a
    router of that kind (nat.py) before a role (T2); its outside has the role's address, and
    everybody listens. Cases with "addresses" give every host that many."""

    HOSTS = {"we": 1, "peer": 2, "relay": 3} | {f"n{i}": i for i in range(4, 13)}

    def __init__(self, case, commands, wire, options, attempt):
        self.case = case
        # The kernel takes its time to forget a namespace: names are used once.
        self.tag = f"{case['number']}{'abcdef'[attempt]}"
        self.options = options
        self.commands = commands
        self.wire_program = wire
        self.limit = case.get("limit", 30)
        self.hosts, self.routers, self.peers, self.cable = {}, [], {}, None

    # ---- topology and processes

    def ip_of(self, role):
        host = self.HOSTS[role]
        if self.case.get("ip") == 6:
            return f"/ip6/{self.net6()}::{host}"
        return f"/ip4/{self.net4()}.{host}"

    def net4(self):
        return f"{'10.77' if self.case.get('mdns') else '11.0'}.{self.case['number']}"

    def net6(self):
        return f"{'fd00' if self.case.get('mdns') else '2a00'}:b:{self.case['number']:x}"

    def listen_address(self, role):
        transport = {"tcp": f"tcp/{PORT}", "quic": f"udp/{PORT}/quic-v1",
                     "ws": f"tcp/{PORT}/ws"}[self.case["transport"]]
        return f"{self.ip_of(role)}/{transport}"

    def own_addresses(self, role):
        """All of them, of which others may know only some."""
        first = self.listen_address(role)
        return [first] + [first.replace(self.ip_of(role), f"/ip4/{ip}") for ip in self.more_ips(role)]

    def bind_address(self, role):
        if role in self.case.get("nat", {}) or "addresses" in self.case:
            return self.listen_address(role).replace(self.ip_of(role), "/ip4/0.0.0.0")
        return self.listen_address(role)

    def more_ips(self, role):
        host = self.HOSTS[role]
        return [f"{self.net4()}.{host * 20 + i}" for i in range(1, self.case.get("addresses", 1))]

    def second_address(self, role):
        """Cases with "second" have peers that listen on one more address."""
        return f"{self.ip_of(role)}/tcp/{PORT + 1}"

    def start(self):
        n = self.case["number"]
        tag = self.tag
        self.hosts = {role: netns.Netns(f"{role}{tag}") for role in self.commands}
        if "link" in self.case:
            self.cable = netns.Wire(self.wire_program[0], self.hosts["we"], f"we{tag}",
                                    self.hosts["peer"], f"peer{tag}", seed=n, **self.case["link"])
        else:
            self.cable = netns.Bridge(f"br{tag}")
        for role, namespace in self.hosts.items():
            device, host = f"{role}{tag}", self.HOSTS[role]
            if role in self.case.get("nat", {}):
                self.routers.append(Router(f"nat-{device}", self.case["nat"][role], self.cable,
                                           f"11.0.{n}.{host}/24", namespace, device))
                continue
            if "link" not in self.case:
                self.cable.attach(namespace, device)
            namespace.configure(device, f"{self.net4()}.{host}/24", f"{self.net6()}::{host}/64",
                                *(f"{ip}/24" for ip in self.more_ips(role)))
            if "mdns" in self.case:
                # js names no interface: the routing table has to.
                namespace.ip("route", "add", "224.0.0.0/4", "dev", device)
        for role in self.hosts:
            self.peers[role] = self.start_peer(role)
        self.we, self.peer, self.relay = (self.peers.get(role) for role in ("we", "peer", "relay"))
        for p in self.peers.values():
            ready = p.wait("ready", 30)
            p.id, p.agent = ready["peer"], ready["agent"]
        if self.case.get("we") == "dial":
            self.dialer, self.listener = self.we, self.peer
        else:
            self.dialer, self.listener = self.peer, self.we

    def listens(self, role):
        if any(what in self.case for what in ("kad", "nat", "mdns", "autonat")):
            return True
        if "relay" in self.commands:
            return role == "relay"
        return (role == "we") == (self.case["we"] == "listen")

    def listen_addresses(self, role):
        if not self.listens(role):
            return ""
        second = self.case.get("second") == role
        return self.bind_address(role) + ("," + self.second_address(role) if second else "")

    def start_peer(self, role):
        seed = hashlib.sha256(f"{self.case['id']} {role}".encode()).hexdigest()
        security = self.case.get("security", "noise,tls")
        key = {"we": "our_", "relay": "relay_"}.get(role, "peer_")
        arguments = ["--seed", seed, "--security", self.case.get(key + "security", security),
                     "--key-type", self.case.get(key + "key", "ed25519"),
                     "--listen", self.listen_addresses(role)]
        if "relay" in self.commands:
            arguments.append("--circuit")
        if role == "relay":
            arguments += ["--relay", ",".join(str(n) for n in self.case["limits"])]
        if "autonat" in self.case:
            arguments.append("--autonat")
        if role == "we" and self.case.get("autonat") == "gated":
            arguments.append("--gate")
        if role in self.case.get("kad", {}):
            arguments += ["--kad", self.case["kad"][role]]
        if "mdns" in self.case:
            arguments.append("--mdns")
        if role in self.case.get("nat", {}):
            arguments += ["--punch", "--announce", self.listen_address(role)]
        arguments += self.case.get("options", {}).get(role, [])
        return Peer(role, self.hosts[role], self.commands[role], arguments, self.options.show)

    def finish(self):
        for p in self.peers.values():
            p.quit()

    def close(self):
        for p in self.peers.values():
            p.kill()
        if self.cable:
            self.cable.delete()
        for host in [*self.routers, *self.hosts.values()]:
            host.delete()

    def save_evidence(self, folder, why):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "why").write_text(why + "\n")
        for role, p in self.peers.items():
            (folder / role).write_text(p.transcript())

    # ---- steps that procedures are made of

    def seconds(self):
        return self.case.get("all_seconds" if self.options.all else "seconds", self.case.get("seconds"))

    def bytes(self):
        return self.case.get("all_bytes", self.case["bytes"]) if self.options.all else self.case["bytes"]

    def connect(self):
        """Both sides are connected as the case demands, and have identified each other."""
        role = "we" if self.listener is self.we else "peer"
        self.dialer.do("dial", addr=f"{self.listen_address(role)}/p2p/{self.listener.id}")
        views = [self.dialer.wait("connected", self.limit, peer=self.listener.id),
                 self.listener.wait("connected", self.limit, peer=self.dialer.id)]
        for p, view, direction in zip((self.dialer, self.listener), views, ("outbound", "inbound")):
            demand(view["direction"] == direction, f"{p.role}: direction is {view['direction']}")
            demand(not view["limited"], f"{p.role}: the connection is limited")
            if self.case["transport"] == "quic":
                demand("/quic-v1" in view["addr"], f"{p.role}: not quic but {view['addr']}")
                continue
            if self.case["transport"] == "ws":
                demand(view["addr"].endswith("/ws"), f"{p.role}: not ws but {view['addr']}")
            wanted = {"noise": "/noise", "tls": "/tls/1.0.0"}[self.case["security"]]
            demand(view["security"] == wanted, f"{p.role}: security is {view['security']}")
            demand(view["muxer"] == "/yamux/1.0.0", f"{p.role}: muxer is {view['muxer']}")
            # Both names travel inside the handshake when both sides can do that; rust cannot.
            late = self.case["peer"] == "rust"
            demand(view.get("early", not late) != late,
                   f"{p.role}: the muxer was negotiated {'early' if late else 'late'}")
        return (self.dialer.wait("identified", 10, peer=self.listener.id),
                self.listener.wait("identified", 10, peer=self.dialer.id))

    def disconnect(self):
        self.dialer.do("disconnect", peer=self.listener.id)
        for p, other in self.both_ways():
            p.wait("disconnected", 10, peer=other.id)

    def ping(self, who, whom, n=5):
        who.do("ping", peer=whom.id, n=n)
        for seq in range(1, n + 1):
            ping = who.wait("ping", self.limit, peer=whom.id, seq=seq)
            demand(0 <= ping["ms"] < 5000, f"{who.role}: a ping took {ping['ms']} ms")

    def transfer(self, who, whom, proto, n, count=1, **members):
        who.do("open", peer=whom.id, proto=proto, bytes=n, count=count, **members)
        results = []
        for _ in range(count):
            mine = who.wait("stream", self.limit, proto=proto, direction="outbound")
            demand(mine["ok"], f"{who.role}: {proto} went wrong: {mine}")
            theirs = whom.wait("stream", self.limit, proto=proto, direction="inbound")
            demand(theirs["ok"], f"{whom.role}: handler of {proto} went wrong: {theirs}")
            results.append(mine)
        return results[0]

    def conns(self, p):
        p.do("conns")
        return p.wait("conns", 10)["conns"]

    def both_ways(self):
        return (self.dialer, self.listener), (self.listener, self.dialer)


def demand(truth, otherwise):
    if not truth:
        raise Failed(otherwise)


# ---- procedures

def upgrade(b):
    b.connect()
    for who, whom in b.both_ways():
        b.ping(who, whom)
        b.transfer(who, whom, ECHO, MIB)
    for p in (b.we, b.peer):
        demand(len(b.conns(p)) == 1, f"{p.role}: not one connection at the end")


def wrong_id(b):
    """The dialler expects somebody else; nobody may use the connection."""
    role = "we" if b.listener is b.we else "peer"
    stranger = b.dialer.id  # a valid ID that the listener does not have
    if b.case["peer"] == "go" and b.dialer is b.peer:
        stranger = "12D3KooWPqT2nMDSiXUSx5D7fasaxhxKigVhcqfkKqrLghCq9jxz"
    elif b.dialer is b.we:
        stranger = "12D3KooWLdJAwPtyQ5RFnr9wGXsQzpf3P2SeqFbYkqbfVehLu4Ns"
    b.dialer.do("dial", addr=f"{b.listen_address(role)}/p2p/{stranger}")
    error = b.dialer.wait("error", b.limit, errors=False, stage="dial")
    demand(error["text"], "the error has no text")
    time.sleep(1)
    for p in (b.we, b.peer):
        demand(not b.conns(p), f"{p.role} keeps a connection")
        demand(not p.seen("stream") and not p.seen("identified"), f"{p.role} saw a stream")


def memory(p):
    """The resident memory of a peer's process in KiB."""
    status = Path(f"/proc/{p.process.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1])


def shaped(b):
    """Up and down at a good share of the link's rate. "share_down" is for peers whose own
    sender stays below that (quic-go may, also towards another quic-go).

    On a connection each: CUBIC's HyStart takes longer round trips for a full path even
    while a side only acknowledges. An upload that fills the link's queue takes quic-go out
    of slow start at its initial window, which then grows by one packet per round trip."""
    n = b.bytes()
    rate = b.case["link"]["rate"]
    shares = {"up": b.case["share"], "down": b.case.get("share_down", b.case["share"])}
    before = memory(b.we)
    for proto, way in ((SINK, "up"), (SOURCE, "down")):
        b.connect()
        result = b.transfer(b.we, b.peer, proto, n)
        b.disconnect()
        got = n * 8 / 1000 / result["ms"]
        print(f"    {b.case['id']}: {way} {got:.1f} of {rate} Mbit/s", flush=True)
        # How fast a stand-in gets is not our business.
        demand(b.options.stand_in or got >= shares[way] * rate,
               f"{way}: {got:.1f} Mbit/s, wanted {shares[way] * rate:.1f}")
    if "growth" in b.case:
        grown = memory(b.we) - before
        demand(grown <= b.case["growth"], f"our memory grew by {grown} KiB")


def parallel(b):
    b.connect()
    b.transfer(b.we, b.peer, ECHO, b.bytes(), b.case["count"])
    b.ping(b.we, b.peer)


def endings(b):
    """Data that comes after a half-close arrives; a reset is seen as one."""
    b.connect()
    for who, whom in b.both_ways():
        b.transfer(who, whom, SOURCE, MIB)
        if whom is b.peer and b.case.get("no_reset"):
            continue
        who.do("open", peer=whom.id, proto=RESET, bytes=4096)
        mine = who.wait("stream", b.limit, proto=RESET, direction="outbound")
        demand(mine["ok"] and mine["end"] == "reset", f"{who.role}: no reset but {mine}")
        if "code" in b.case:
            demand(mine["code"] == b.case["code"], f"{who.role}: reset code is {mine['code']}")
        b.ping(who, whom, 1)


def idle(b):
    """The same connection is there, and works, after a long silence."""
    b.connect()
    b.ping(b.we, b.peer, 1)
    time.sleep(b.seconds())
    for p in (b.we, b.peer):
        demand(not p.seen("disconnected"), f"{p.role} was disconnected")
        demand(len(p.seen("connected")) == 1, f"{p.role} connected again")
    for who, whom in b.both_ways():
        b.transfer(who, whom, ECHO, 65536)


def identify(b):
    views = dict(zip((b.dialer, b.listener), b.connect()))
    for p, other in b.both_ways():
        view = views[p]
        demand(view["agent"] == other.agent, f"{p.role}: agent is {view['agent']}")
        missing = {ECHO, IDENTIFY, "/ipfs/ping/1.0.0"} - set(view["protocols"])
        demand(not missing, f"{p.role}: {other.role}'s protocols lack {missing}")
        own = f"{b.ip_of('we' if p is b.we else 'peer')}/"
        demand(view["observed"].startswith(own), f"{p.role}: observed address is {view['observed']}")
        if other is b.listener:
            role = "we" if other is b.we else "peer"
            demand(b.listen_address(role) in view["addrs"], f"{p.role}: addresses {view['addrs']}")
            record = b.case.get("record", "valid")
            demand(view["signedRecord"] == record,
                   f"{p.role}: signed record is {view['signedRecord']}")


def push(b):
    b.connect()
    for p, other in b.both_ways():
        name = f"/interop/extra-{p.role}/1.0.0"
        p.do("addproto", name=name)
        other.wait("identified", 3, peer=p.id, protocols=lambda have: name in (have or []))


def split_identify(b):
    """So many protocols that go splits its message: the record travels in the second."""
    names = [f"/interop/a-protocol-with-a-rather-long-name-{i:02}/1.0.0" for i in range(40)]
    for name in names:
        b.peer.do("addproto", name=name)
        b.peer.wait("added", 5, name=name)
    view = dict(zip((b.dialer, b.listener), b.connect()))[b.we]
    demand(set(names) <= set(view["protocols"]), "protocols are missing")
    demand(view["signedRecord"] == "valid", f"signed record {view['signedRecord']}")
    b.peer.do("addproto", name="/interop/late/1.0.0")
    b.we.wait("identified", 3, peer=b.peer.id,
              protocols=lambda have: "/interop/late/1.0.0" in (have or []))


def full_identify(b):
    """More than one message of identify can hold: the list of protocols is in the first,
    for those who read only that."""
    names = [f"/interop/one-protocol-of-very-many-{i:02}/1.0.0" for i in range(60)]
    for name in names:
        b.we.do("addproto", name=name)
        b.we.wait("added", 5, name=name)
    view = dict(zip((b.dialer, b.listener), b.connect()))[b.peer]
    missing = set(names) - set(view["protocols"])
    demand(not missing, f"{len(missing)} protocols are missing")
    b.we.do("addproto", name="/interop/late/1.0.0")
    b.peer.wait("identified", 5, peer=b.we.id,
                protocols=lambda have: "/interop/late/1.0.0" in (have or []))


def pings(b):
    b.connect()
    b.ping(b.peer, b.we, 10)
    b.ping(b.we, b.peer, 10)


def steady_pings(b):
    """The peer's own pings, all on one stream."""
    b.connect()
    for seq in range(1, b.seconds() // 5 + 1):
        b.peer.wait("ping", 10, peer=b.we.id, seq=seq)
    demand(not b.peer.seen("error"), "a ping failed")
    demand(len(b.we.seen("connected")) == 1, "not one connection")


def service(b):
    b.connect()
    for who, whom in b.both_ways():
        whom.do("serve", name="web", reply=f"hello from {whom.role}\n")
        whom.wait("serving", 5)
        result = b.transfer(who, whom, "/peerup/web/1.0.0", 0, data="and back\n")
        demand(result["text"] == f"hello from {whom.role}\nand back\n", f"got {result['text']!r}")
        b.transfer(who, whom, PINGPONG, 0)
        who.do("open", peer=whom.id, proto="/peerup/nothing/1.0.0", data="")
        who.wait("error", 10, errors=False, stage="open")


# ---- circuits

def relay_address(b):
    return f"{b.listen_address('relay')}/p2p/{b.relay.id}"


def reserve(b, who):
    """Somebody gets a reservation, which tells what the relay was told."""
    who.do("reserve", addr=relay_address(b))
    view = who.wait("reserved", b.limit, relay=b.relay.id)
    ttl, duration, data = b.case["limits"]
    demand(view["addrs"], f"{who.role}: no address in the reservation")
    demand(all(b.relay.id in addr for addr in view["addrs"]), f"addresses {view['addrs']}")
    if "duration" in view:  # js tells the addresses only
        demand(view["duration"] == duration, f"{who.role}: duration {view['duration']}")
        demand(view["data"] == data, f"{who.role}: data {view['data']}")
    if "expires" in view:
        left = view["expires"] - time.time()
        demand(ttl - 5 < left < ttl + 5, f"{who.role}: {left:.0f} s to live, not {ttl}")
        given = b.case["cast"]["relay"] != "rust"
        demand(view["voucher"] == given, f"{who.role}: {'no' if given else 'a'} voucher")
    return view


def connect_through_relay(b):
    reserve(b, b.listener)
    if "nat" in b.case and b.listener is b.peer and b.case["peer"] != "rust":
        # go punches for connections that come once it knows its public address.
        b.relay.wait("identified", 15, peer=b.peer.id, protocols=lambda have: DCUTR in (have or []))
        time.sleep(0.2)
    # Over a limited connection js opens streams to peers only that it could dial, too.
    if b.case["peer"] == "js":
        reserve(b, b.dialer)
    # What rust knows of its own address when the circuit comes is all that it will punch with.
    if b.case["peer"] == "rust" and b.peer is not b.relay:
        if b.dialer is b.peer:
            b.peer.do("dial", addr=relay_address(b))
        b.peer.wait("identified", 10, peer=b.relay.id)
    b.dialer.do("dial", addr=f"{relay_address(b)}/p2p-circuit/p2p/{b.listener.id}")
    for p, other, direction in ((b.dialer, b.listener, "outbound"),
                                (b.listener, b.dialer, "inbound")):
        view = p.wait("connected", b.limit, peer=other.id)
        demand(view["direction"] == direction, f"{p.role}: direction is {view['direction']}")
        demand(view["limited"], f"{p.role}: the connection is not limited")
        demand(f"{b.relay.id}/p2p-circuit" in view["addr"], f"{p.role}: address {view['addr']}")
        # go leaves it empty for circuits that it dials.
        demand(view["muxer"] in ("", "/yamux/1.0.0"), f"{p.role}: muxer is {view['muxer']}")
    for p, other in b.both_ways():
        p.wait("identified", 10, peer=other.id)


def circuit(b):
    connect_through_relay(b)
    for who, whom in b.both_ways():
        b.ping(who, whom)
        b.transfer(who, whom, ECHO, 16384)
    for p, other in b.both_ways():
        between = [c for c in b.conns(p) if c["peer"] == other.id]
        demand(len(between) == 1 and between[0]["limited"], f"{p.role}: {between}")
    b.disconnect()
    demand([c for c in b.conns(b.listener) if c["peer"] == b.relay.id], "the relay is lost")


def data_limit(b):
    """At its limit the relay ends the circuit; another one can be made."""
    connect_through_relay(b)
    b.transfer(b.dialer, b.listener, ECHO, 16384)
    b.dialer.do("open", peer=b.listener.id, proto=ECHO, bytes=MIB)
    mine = b.dialer.wait("stream", b.limit, proto=ECHO, direction="outbound")
    demand(not mine["ok"], "a MiB passed")
    for p, other in b.both_ways():
        p.wait("disconnected", b.limit, errors=False, peer=other.id)
        demand([c for c in b.conns(p) if c["peer"] == b.relay.id], f"{p.role}: the relay is lost")
    b.dialer.do("dial", addr=f"{relay_address(b)}/p2p-circuit/p2p/{b.listener.id}")
    b.dialer.wait("connected", b.limit, errors=False, peer=b.listener.id)
    b.ping(b.dialer, b.listener)


def reservation(b):
    reserve(b, b.we or b.peer)


def renewal(b):
    """Twice, and in time."""
    first = reserve(b, b.we)
    second = b.we.wait("reserved", b.case["limits"][0], relay=b.relay.id)
    demand(second["voucher"] == first["voucher"], "no voucher the second time")
    demand(second["expires"] > first["expires"], "the second ends no later than the first")
    demand(not b.we.seen("disconnected"), "the relay was lost")


# ---- the DHT

NOBODY = "12D3KooWPqT2nMDSiXUSx5D7fasaxhxKigVhcqfkKqrLghCq9jxz"
BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def place(peer_id):
    """Where an ID is in the key space: SHA-256 of its bytes."""
    number = 0
    for c in peer_id:
        number = number * 58 + BASE58.index(c)
    leading = len(peer_id) - len(peer_id.lstrip("1"))
    raw = bytes(leading) + number.to_bytes((number.bit_length() + 7) // 8)
    return int.from_bytes(hashlib.sha256(raw).digest())


def join(b):
    """Everybody begins with "peer" alone and looks around."""
    for role, p in b.peers.items():
        if p is b.peer:
            continue
        p.do("dial", addr=f"{b.listen_address('peer')}/p2p/{b.peer.id}")
        p.wait("identified", b.limit, peer=b.peer.id)
    time.sleep(2)  # what identify told is tried out
    for _ in range(2):  # once to be known, once to know those who came later
        for p in b.peers.values():
            p.do("refresh")
        for p in b.peers.values():
            p.wait("dht", b.limit, query="refresh")
        time.sleep(2)


def query(b, p, what, **members):
    p.do(what, **members)
    return p.wait("dht", b.limit, query=what)["peers"]


def closest_peers(b):
    join(b)
    servers = [p for role, p in b.peers.items() if b.case["kad"][role] == "server"]
    for p in b.peers.values():
        wanted = sorted((s.id for s in servers if s is not p),
                        key=lambda i: place(i) ^ place(NOBODY))
        got = [x["peer"] for x in query(b, p, "closest", peer=NOBODY)]
        demand(got == wanted, f"{p.role}: closest are {got}, not {wanted}")
    for p in b.peers.values():
        for role, other in b.peers.items():
            if other is p:
                continue
            found = query(b, p, "findpeer", peer=other.id)[0]
            demand(found["peer"] == other.id, f"{p.role}: found {found['peer']}")
            demand(any(a.startswith(b.listen_address(role)) for a in found["addrs"]),
                   f"{p.role}: {role} is at {found['addrs']}")


def client_mode(b):
    """Clients are in no table, but those whom they know lead others to them."""
    closest_peers(b)
    clients = {p.id for role, p in b.peers.items() if b.case["kad"][role] == "client"}
    for p in b.peers.values():
        table = {x["peer"] for x in query(b, p, "table")}
        demand(table, f"{p.role}: the table is empty")
        demand(not table & clients, f"{p.role}: a client is in the table")


def provide(b):
    join(b)
    for role in ("we", "peer"):
        provider, name = b.peers[role], f"meeting of {role}"
        query(b, provider, "provide", ns=name)
        for p in b.peers.values():
            if p is provider:
                continue
            for _ in range(10):  # ours does not tell when it has told everybody
                found = [x for x in query(b, p, "find", ns=name) if x["peer"] == provider.id]
                if found:
                    break
                time.sleep(1)
            demand(found, f"{p.role} does not find {role}")
            demand(any(a.startswith(own) for a in found[0]["addrs"] for own in b.own_addresses(role)),
                   f"{p.role}: {role} is at {found[0]['addrs']}")
            demand(not query(b, p, "find", ns="another name"), f"{p.role} finds too much")


# ---- hole punching

def direct_conns(b, p, other):
    return [c for c in b.conns(p) if c["peer"] == other.id and not c["limited"]]


def punch(b):
    connect_through_relay(b)
    path = {"tcp": "/tcp/", "quic": "/quic-v1"}[b.case["transport"]]
    for p, other in b.both_ways():
        p.wait("connected", b.limit, peer=other.id, limited=False)
    if not b.options.stand_in:
        result = b.we.wait("holepunch", 10)
        demand(result["direct"], f"our result: {result['text']}")
        demand(result["leader"] == (b.we is b.listener), "not our part")
    for p, other in b.both_ways():
        direct = direct_conns(b, p, other)
        demand(len(direct) == 1, f"{p.role}: direct connections: {direct}")
        demand(path in direct[0]["addr"], f"{p.role}: not {path} but {direct[0]['addr']}")
        demand("p2p-circuit" not in direct[0]["addr"], f"{p.role}: {direct[0]['addr']}")
        b.ping(p, other)
        b.transfer(p, other, ECHO, MIB)
    if b.case["peer"] == "js":
        b.we.wait("disconnected", 10, peer=b.peer.id)  # js closes the relayed one
        demand(direct_conns(b, b.we, b.peer), "the direct connection went instead")


def no_punch(b):
    """The relayed connection stays, and stays useful."""
    connect_through_relay(b)
    if b.options.stand_in:
        time.sleep(20)
    else:
        result = b.we.wait("holepunch", b.limit)
        demand(not result["direct"], "a hole where none can be")
        demand(result["tries"] == 3, f"{result['tries']} tries")
    for p, other in b.both_ways():
        demand(not direct_conns(b, p, other), f"{p.role} thinks it is direct")
        b.ping(p, other)
        b.transfer(p, other, ECHO, 16384)


# ---- AutoNAT

def close_port(b, role):
    """Nobody new gets to that role's port any more. Rust gives up its client before a dial
    that nobody answers."""
    verdict = "reject with tcp reset" if b.case["peer"] == "rust" else "drop"
    rules = (f"add table inet closed\nadd chain inet closed in {{ type filter hook input priority "
             f"0; }}\nadd rule inet closed in tcp dport {PORT} tcp flags & (syn|ack) == syn "
             f"{verdict}\n")
    try:
        b.hosts[role].run(["nft", "-f", "-"], input=rules)
    except FileNotFoundError as e:
        raise netns.Unavailable("nft is not installed") from e


def verdict_of(b, p, role, reachable):
    addr = b.listen_address(role)
    p.wait("autonat", b.limit, addr=addr, reachable=reachable)


def we_ask(b):
    """We learn that we are reachable, and that we are not any more."""
    b.connect()
    verdict_of(b, b.we, "we", "yes")
    if b.case["peer"] != "rust":  # it keeps the connection that it dialled back
        demand(len(b.conns(b.peer)) == 1, "a connection is left")
    if b.case["transport"] == "quic":
        return
    close_port(b, "we")
    b.we.do("autonat")
    verdict_of(b, b.we, "we", "no")


def we_answer(b):
    """js asks by itself; go asks a server once in two minutes."""
    blocked = b.case.get("blocked", False)
    if blocked:
        close_port(b, "peer")
    b.connect()
    if b.case["peer"] == "go":
        b.peer.do("autonat", addrs=[b.listen_address("peer")])
    verdict_of(b, b.peer, "peer", "no" if blocked else "yes")
    demand(len(b.conns(b.we)) == 1, "a connection is left")


def we_answer_twice(b):
    """js asks about all its addresses at once, and about the other one when we meet again."""
    b.connect()
    addrs = {b.listen_address("peer"), b.second_address("peer")}
    first = b.peer.wait("autonat", b.limit, reachable="yes")["addr"]
    demand(first in addrs, f"{first} was never asked about")
    b.disconnect()
    role = "we" if b.listener is b.we else "peer"
    b.dialer.do("dial", addr=f"{b.listen_address(role)}/p2p/{b.listener.id}")
    second = b.peer.wait("autonat", b.limit, reachable="yes")["addr"]
    demand({first, second} == addrs, f"verdicts on {first} and {second}")


# ---- mDNS

def discovery(b):
    """Both find each other, and what they found can be dialled."""
    for p, other in b.both_ways():
        role = "we" if other is b.we else "peer"
        wanted = b.listen_address(role)
        p.wait("found", 10, peer=other.id,
               addrs=lambda have, wanted=wanted: any(a.startswith(wanted) for a in have or []))
    for p, other in b.both_ways():
        found = next(a for e in p.seen("found") if e["peer"] == other.id for a in e["addrs"]
                     if a.startswith(b.listen_address("we" if other is b.we else "peer")))
        p.do("dial", addr=f"{found.split('/p2p/')[0]}/p2p/{other.id}")
        p.wait("connected", b.limit, peer=other.id)
        b.ping(p, other, 1)


PROCEDURES = {f.__name__: f for f in (
    upgrade, wrong_id, shaped, parallel, endings, idle, identify, push, split_identify,
    full_identify, pings, steady_pings, service, circuit, data_limit, reservation, renewal,
    closest_peers, client_mode, provide, punch, no_punch, we_ask, we_answer, we_answer_twice,
    discovery)}
