"""Network namespaces that leave nothing behind.

enter() starts the calling program again in private mount, network and process
namespaces (and a user namespace when it is not root). Names cannot clash with
those of other runs, and whatever ends the program ends everything it started.
"""

import os
import subprocess
import sys

INSIDE = "PEERUP_LAB"


class Unavailable(Exception):
    """This machine does not let us do that; the text says why."""


def unshare_command():
    command = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
    if os.geteuid() != 0:
        command += ["--user", "--map-root-user"]
    return command


def enter():
    """Returns inside the namespaces, or raises Unavailable."""
    if os.environ.get(INSIDE):
        return
    probe = unshare_command() + ["sh", "-c", "mount -t tmpfs tmpfs /run && ip link set lo up"]
    try:
        result = subprocess.run(probe, capture_output=True, text=True)
    except FileNotFoundError as e:
        raise Unavailable(f"{e.filename} is not installed") from e
    if result.returncode != 0:
        raise Unavailable("no network namespaces: " + " ".join(result.stderr.split()))
    setup = 'mount -t tmpfs tmpfs /run && mkdir -p /run/netns && ip link set lo up && exec "$@"'
    command = unshare_command() + ["sh", "-c", setup, "sh", sys.executable] + sys.argv
    sys.stdout.flush()
    os.execvpe(command[0], command, dict(os.environ, **{INSIDE: "1"}))


def ip(*args):
    subprocess.run(["ip", *map(str, args)], check=True, capture_output=True, text=True)


class Netns:
    """One host: a network namespace with its loopback up."""

    def __init__(self, name):
        self.name = name
        ip("netns", "add", name)
        self.ip("link", "set", "lo", "up")
        # No waiting for duplicate address detection.
        self.run(["sysctl", "-qw", "net.ipv6.conf.all.accept_dad=0",
                  "net.ipv6.conf.default.accept_dad=0"], check=False)

    def command(self, argv):
        return ["nsenter", f"--net=/run/netns/{self.name}", *map(str, argv)]

    def run(self, argv, **kw):
        kw.setdefault("check", True)
        kw.setdefault("capture_output", True)
        kw.setdefault("text", True)
        return subprocess.run(self.command(argv), **kw)

    def popen(self, argv, **kw):
        return subprocess.Popen(self.command(argv), **kw)

    def ip(self, *args):
        ip("-n", self.name, *args)

    def configure(self, device, *addresses):
        for address in addresses:
            extra = ["nodad"] if ":" in address else []
            self.ip("addr", "add", address, "dev", device, *extra)
        self.ip("link", "set", device, "up")

    def delete(self):
        subprocess.run(["ip", "netns", "del", self.name], capture_output=True)


def veth(a, a_device, b, b_device):
    """A cable between two hosts."""
    a.ip("link", "add", a_device, "type", "veth", "peer", "name", b_device, "netns", b.name)


class Bridge:
    """A switch in the namespace of the program itself."""

    def __init__(self, name):
        self.name = name
        self.ports = 0
        ip("link", "add", name, "type", "bridge")
        ip("link", "set", name, "up")

    def attach(self, host, device):
        port = f"{self.name}p{self.ports}"
        self.ports += 1
        ip("link", "add", port, "type", "veth", "peer", "name", device, "netns", host.name)
        ip("link", "set", port, "master", self.name, "up")

    def delete(self):
        subprocess.run(["ip", "link", "del", self.name], capture_output=True)


class Wire:
    """Two hosts joined by tests/support/wire.c, which knows delay, rate and loss."""

    def __init__(self, program, a, a_device, b, b_device, **options):
        argv = [program, "--a", a_device, "--b", b_device]
        for key, value in options.items():
            argv += [f"--{key}", str(value)]
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)
        if self.process.stdout.readline().strip() != "ready":
            raise Unavailable("the link emulator does not start")
        ip("link", "set", a_device, "netns", a.name)
        ip("link", "set", b_device, "netns", b.name)

    def set(self, **options):
        words = " ".join(f"{k}={v}" for k, v in options.items())
        self.process.stdin.write(words + "\n")
        self.process.stdin.flush()

    def delete(self):
        self.process.terminate()
        self.process.wait()
