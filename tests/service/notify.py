#!/usr/bin/env python3
"""What a service manager hears of the daemon and the relay: readiness, reloads, signs of life
that stop when a check fails or the loop stands still, the end. notify.py PROGRAM"""
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

program = os.path.realpath(sys.argv[1])
top = tempfile.mkdtemp(prefix="pu_notify_")
WATCHDOG_S = 1.5  # signs of life every half second
failures = 0


def bad(text):
    global failures
    failures += 1
    print("FAILED:", text)


class Manager:
    """One service: its socket and the process."""

    def __init__(self, name, arguments, abstract):
        self.name = name
        self.home = os.path.join(top, name)
        os.makedirs(self.home, exist_ok=True)
        path = os.path.join(self.home, "notify")
        address = "@" + path if abstract else path
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind("\0" + path if abstract else path)
        self.sock.settimeout(0.1)
        self.seen = []
        env = {k: v for k, v in os.environ.items() if not k.startswith("SUDO_")}
        env.update(HOME=self.home, NOTIFY_SOCKET=address,
                   WATCHDOG_USEC=str(int(WATCHDOG_S * 1e6)))
        env.pop("JOURNAL_STREAM", None)
        self.env = env
        self.log = open(os.path.join(self.home, "log"), "w+")
        self.process = None
        self.arguments = arguments

    def command(self, *arguments):
        env = {k: v for k, v in self.env.items() if k not in ("NOTIFY_SOCKET", "WATCHDOG_USEC")}
        return subprocess.run([program, *arguments], env=env, cwd=self.home, check=True,
                              stdout=subprocess.PIPE, text=True).stdout

    def start(self):
        self.process = subprocess.Popen([program, *self.arguments], env=self.env, cwd=self.home,
                                        stdout=subprocess.DEVNULL, stderr=self.log)

    def listen(self, seconds, until=None):
        """What is heard in that time, at most until something that matches."""
        heard, end = [], time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                text = self.sock.recv(4096).decode()
            except socket.timeout:
                continue
            heard.append(text)
            if until and re.search(until, text):
                break
        self.seen += heard
        return heard

    def expect(self, pattern, seconds=5):
        heard = self.listen(seconds, pattern)
        if not heard or not re.search(pattern, heard[-1]):
            bad(f"{self.name}: no {pattern} within {seconds} s, only {heard}")

    def worker(self):
        children = subprocess.run(["pgrep", "-P", str(self.process.pid)], check=True,
                                  stdout=subprocess.PIPE, text=True).stdout.split()
        return int(children[0])

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.expect("^STOPPING=1")
        begin = time.monotonic()
        if self.process.wait(10) != 0:
            bad(f"{self.name}: exit status {self.process.returncode}")
        if time.monotonic() - begin > 5:
            bad(f"{self.name}: stopping takes too long")

    def show_log(self):
        self.log.seek(0)
        print(self.log.read())


def signs(heard):
    return sum("WATCHDOG=1" in text for text in heard)


def life(m):
    m.start()
    m.expect("^READY=1")
    m.expect("^STATUS=.*peers? connected")
    n = signs(m.listen(2.2))
    if not 3 <= n <= 6:
        bad(f"{m.name}: {n} signs of life in 2.2 s")
    m.process.send_signal(signal.SIGHUP)
    m.expect(r"^RELOADING=1\nMONOTONIC_USEC=\d+$")
    m.expect("^READY=1")
    # A loop that stands still.
    worker = m.worker()
    os.kill(worker, signal.SIGSTOP)
    m.listen(0.3)
    if signs(m.listen(1.5)):
        bad(f"{m.name}: signs of life from a stopped process")
    os.kill(worker, signal.SIGCONT)
    m.expect("WATCHDOG=1")


def node():
    m = Manager("node", ["daemon"], abstract=True)
    m.command("init", "--non-interactive")
    life(m)
    # The control socket does not answer any more.
    place = os.path.join(m.home, ".config/peerup/peerup.sock")
    os.rename(place, place + ".away")
    m.listen(0.7)
    if signs(m.listen(1.5)):
        bad("node: signs of life without a control socket")
    os.rename(place + ".away", place)
    m.expect("WATCHDOG=1")
    m.log.seek(0)
    if 'check="control socket"' not in m.log.read():
        bad("node: the failing check is not named")
    # A config that needs a restart of parts: a reload for the manager.
    config = os.path.join(m.home, ".config/peerup/config.yaml")
    with open(config) as f:
        text = f.read()
    with open(os.open(config + ".new", os.O_CREAT | os.O_WRONLY, 0o600), "w") as f:
        f.write(text.replace("/tcp/0", "/tcp/%d" % (20000 + os.getpid() % 20000)))
    m.command("config", "apply", config + ".new")
    for text in ("^RELOADING=1", "^READY=1"):
        if not any(re.search(text, s) for s in m.seen[-1:]):
            m.expect(text)
    m.command("config", "confirm")
    m.expect("WATCHDOG=1")
    m.stop()
    return m


def relay():
    m = Manager("relay", ["relay", "serve"], abstract=False)
    m.command("relay", "setup", "--port", str(20000 + (os.getpid() + 1) % 20000))
    life(m)
    m.stop()
    return m


managers = []
try:
    for case in (node, relay):
        managers.append(case())
finally:
    if failures:
        for manager in managers:
            manager.show_log()
    shutil.rmtree(top, ignore_errors=True)
sys.exit(failures > 0)
