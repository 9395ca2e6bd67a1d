"""Drives a go or js peer of tests/interop against a running daemon (cases/foreign.sh).

foreign.py probe go|js             builds it; says why when that is impossible
foreign.py id go|js                prints its peer ID
foreign.py use go|js ADDRESS       dials a daemon, identifies, pings, uses its service "web"
foreign.py serve go|js ADDRESSES   listens there and offers a service "web" until killed
"""

import hashlib
import sys
import time
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TESTS / "support"), str(TESTS / "interop")]

from lab import netns, toolchain  # noqa: E402
from peer import Failed, Peer  # noqa: E402

SEED = hashlib.sha256(b"alien").hexdigest()


class Here:
    """Stands for a namespace when we are in it already."""

    @staticmethod
    def popen(argv, **kw):
        import subprocess
        return subprocess.Popen(argv, **kw)


def command(kind):
    source = TESTS / "interop" / kind
    return toolchain.go_peer(source) if kind == "go" else toolchain.js_peer(source)


def begin(kind, listen=""):
    peer = Peer(kind, Here, command(kind), ["--seed", SEED, "--listen", listen,
                                            "--security", "tls,noise"])
    peer.id = peer.wait("ready", 30)["peer"]
    return peer


def use(kind, address):
    daemon = address.rsplit("/", 1)[1]
    peer = begin(kind)
    peer.do("dial", addr=address)
    peer.wait("connected", 20, peer=daemon)
    view = peer.wait("identified", 10, peer=daemon)
    for protocol in ("/peerup/web/1.0.0", "/pingpong/1.0.0", "/ipfs/ping/1.0.0"):
        if protocol not in view["protocols"]:
            raise Failed(f"identify does not list {protocol}: {view['protocols']}")
    peer.do("ping", peer=daemon, n=3)
    peer.wait("ping", 10, seq=3)
    peer.do("open", peer=daemon, proto="/pingpong/1.0.0")
    if not peer.wait("stream", 10, proto="/pingpong/1.0.0", direction="outbound")["ok"]:
        raise Failed("no pong")
    request = "GET /hello.txt HTTP/1.0\r\n\r\n"
    peer.do("open", peer=daemon, proto="/peerup/web/1.0.0", data=request)
    answer = peer.wait("stream", 20, proto="/peerup/web/1.0.0", direction="outbound")
    if not answer["ok"] or "hello from home" not in answer["text"]:
        raise Failed(f"the service answers {answer}")
    peer.do("open", peer=daemon, proto="/peerup/nothing/1.0.0")
    peer.wait("error", 10, errors=False, stage="open")
    peer.quit()


def serve(kind, listen):
    peer = begin(kind, listen)
    peer.do("serve", name="web", reply="hello from alien\n")
    peer.wait("serving", 10)
    while True:
        time.sleep(60)


def main():
    what, kind, *rest = sys.argv[1:]
    if what == "probe":
        command(kind)
    elif what == "id":
        peer = begin(kind)
        print(peer.id)
        peer.quit()
    elif what == "use":
        use(kind, *rest)
    elif what == "serve":
        serve(kind, *rest)


try:
    main()
except (Failed, netns.Unavailable) as e:
    sys.exit(f"{type(e).__name__}: {e}")
