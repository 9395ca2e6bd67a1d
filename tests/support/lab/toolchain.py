"""Foreign programs: built from pinned sources of the registries, into a cache
outside the tree. Several runs may ask at the same time."""

import contextlib
import fcntl
import hashlib
import os
import platform
import re
import shutil
import subprocess
from pathlib import Path

from .netns import Unavailable

GO_MIN = (1, 26)
GO_VERSION = "1.26.8"
NODE_MIN = 22
RUST_MIN = (1, 83)
NODE_PACKAGE_VERSION = "22.23.3"
WIREGUARD_GO = "golang.zx2c4.com/wireguard@v0.0.0-20260522210424-ecfc5a8d5446"


def cache_dir():
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    path = Path(base) / "peerup-vpn-tests"
    path.mkdir(parents=True, exist_ok=True)
    return path


@contextlib.contextmanager
def locked(name):
    with open(cache_dir() / f".{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def digest(*paths):
    h = hashlib.sha256()
    for path in sorted(paths):
        h.update(path.name.encode() + b"\0" + path.read_bytes())
    return h.hexdigest()[:16]


def run(argv, **kw):
    """Runs a tool; its last words become the reason when it fails."""
    result = subprocess.run([str(a) for a in argv], capture_output=True, text=True, **kw)
    if result.returncode != 0:
        last = (result.stderr.strip() or result.stdout.strip() or "no output").splitlines()[-3:]
        raise Unavailable(f"{Path(argv[0]).name} {argv[1]} failed: {' / '.join(last)}")
    return result.stdout


# ---- Go

def go_version(go):
    out = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True).stdout
    match = re.match(r"go(\d+)\.(\d+)", out)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def go_candidates():
    paths = [os.environ.get("GO"), shutil.which("go"), "/usr/local/go/bin/go"]
    return [p for p in paths if p and os.path.exists(p)]


def go_from_proxy(old_go):
    """The Go distribution is itself a module: an old Go, such as Debian's, downloads (and
    verifies) a current one. Module archives carry no execute bits."""
    arch = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    home = cache_dir() / "go-toolchain"
    module = f"golang.org/toolchain@v0.0.1-go{GO_VERSION}.linux-{arch}"
    root = home / "pkg" / "mod" / module
    with locked("go-toolchain"):
        if not (home / f"complete-{GO_VERSION}").exists():
            env = dict(os.environ, GOPATH=str(home), GOFLAGS="-modcacherw", GOTOOLCHAIN="local")
            run([old_go, "mod", "download", module], env=env, cwd=home.parent)
            for folder in (root / "bin", root / "pkg" / "tool"):
                for path in folder.rglob("*"):
                    if path.is_file():
                        path.chmod(0o755)
            (home / f"complete-{GO_VERSION}").touch()
    return str(root / "bin" / "go")


def find_go():
    """A Go that is new enough: the machine's, else one from the module proxy."""
    candidates = go_candidates()
    for go in candidates:
        if go_version(go) >= GO_MIN:
            return go
    if not candidates:
        raise Unavailable("needs Go (deploy/packages.sh --tests installs one that can fetch "
                          f"Go {GO_VERSION})")
    return go_from_proxy(candidates[0])


def go_env(flags):
    env = dict(os.environ, GOTOOLCHAIN="local", CGO_ENABLED="0",
               GOFLAGS=f"-buildvcs=false {flags}")
    env.pop("GOROOT", None)  # each Go knows its own
    return env


def go_peer(source):
    """Builds the module in source; returns the command."""
    files = list(source.glob("*.go")) + [source / "go.mod", source / "go.sum"]
    target = cache_dir() / f"go-peer-{digest(*files)}"
    with locked("go-peer"):
        if not target.exists():
            go = find_go()
            partial = target.with_suffix(".partial")
            run([go, "build", "-o", partial, "."], cwd=source,
                env=go_env("-mod=readonly"))
            partial.rename(target)
    return [str(target)]


def wireguard_go():
    """Current wireguard-go at a pinned version; returns its path."""
    target = cache_dir() / ("wireguard-go-" + WIREGUARD_GO.rsplit("-", 1)[1])
    with locked("wireguard-go"):
        if not target.exists():
            go = find_go()
            bin_dir = cache_dir() / "go-bin"
            run([go, "install", WIREGUARD_GO], env=dict(go_env(""), GOBIN=str(bin_dir)),
                cwd=cache_dir())
            (bin_dir / "wireguard").rename(target)
    return str(target)


# ---- Node

def node_major(node):
    try:
        out = subprocess.run([node, "--version"], capture_output=True, text=True).stdout
    except OSError:
        return 0
    match = re.match(r"v(\d+)\.", out)
    return int(match[1]) if match else 0


def find_npm():
    npm = shutil.which("npm")
    if not npm:
        raise Unavailable("needs npm (deploy/packages.sh --tests installs it)")
    return npm


def find_node():
    """Node 22 or newer: the system's, else the one that the registry carries."""
    node = shutil.which("node")
    if node and node_major(node) >= NODE_MIN:
        return node
    arch = {"x86_64": "x64", "aarch64": "arm64"}.get(platform.machine())
    if not arch:
        raise Unavailable(f"needs Node {NODE_MIN} or newer")
    package = f"node-linux-{arch}"
    target = cache_dir() / f"node-{NODE_PACKAGE_VERSION}"
    node = target / "node_modules" / package / "bin" / "node"
    with locked("node"):
        if not node.exists():
            target.mkdir(exist_ok=True)
            run([find_npm(), "install", "--prefix", target, "--no-save", "--no-audit", "--no-fund",
                 f"{package}@{NODE_PACKAGE_VERSION}"])
    return str(node)


def js_peer(source):
    """Installs the pinned packages beside a copy of the program; returns the command."""
    packages = [source / "package.json", source / "package-lock.json"]
    target = cache_dir() / f"js-peer-{digest(*packages)}"
    node = find_node()
    with locked("js-peer"):
        if not (target / "complete").exists():
            target.mkdir(exist_ok=True)
            for path in packages:
                shutil.copy(path, target)
            # Not "ci": that refuses a lock file without the native packages of other
            # machines, and what a registry offers of those differs.
            run([find_npm(), "install", "--no-save", "--no-audit", "--no-fund",
                 "--ignore-scripts"], cwd=target)
            (target / "complete").touch()
        # Node finds node_modules in the folders above.
        programs = list(source.glob("*.js"))
        own = target / digest(*programs)
        own.mkdir(exist_ok=True)
        for path in programs:
            shutil.copy(path, own)
        shutil.copy(source / "package.json", own)
    return [node, "--no-warnings", str(own / "peer.js")]


# ---- Rust

def rust_version(cargo):
    out = subprocess.run([cargo, "--version"], capture_output=True, text=True).stdout
    match = re.match(r"cargo (\d+)\.(\d+)", out)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def find_cargo():
    paths = [os.environ.get("CARGO"), shutil.which("cargo"), os.path.expanduser("~/.cargo/bin/cargo")]
    for cargo in paths:
        if cargo and os.path.exists(cargo) and rust_version(cargo) >= RUST_MIN:
            return cargo
    raise Unavailable("needs Rust {}.{} or newer".format(*RUST_MIN))


def rust_peer(source, patient):
    """Builds the crate in source; returns the command. That takes many minutes the first
    time, so only the patient get one that is not there yet."""
    files = list((source / "src").glob("*.rs")) + [source / "Cargo.toml", source / "Cargo.lock"]
    target = cache_dir() / f"rust-peer-{digest(*files)}"
    if not target.exists() and not patient:
        raise Unavailable("the rust peer is not built (run.py --prepare --all)")
    with locked("rust-peer"):
        if not target.exists():
            build = cache_dir() / "rust-target"
            run([find_cargo(), "build", "--release", "--locked"], cwd=source,
                env=dict(os.environ, CARGO_TARGET_DIR=str(build)))
            partial = target.with_suffix(".partial")
            shutil.copy(build / "release" / "rust-peer", partial)
            partial.rename(target)
    return [str(target)]
