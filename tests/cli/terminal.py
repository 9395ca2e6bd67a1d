"""Conversations with a person at a terminal: what is shown, asked, drawn, and taken back."""
import contextlib
import ctypes
import ctypes.util
import fcntl
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time

PATIENCE = 20
PROGRAM = os.path.realpath(sys.argv[1])
ID1 = "12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5"
COLOR = b"\033["


class Terminal:
    """A program whose terminal has that many columns."""

    def __init__(self, home, *args, columns=200, **env):
        self.seen = b""
        keep = {k: v for k, v in os.environ.items()
                if not k.startswith(("SUDO_", "XDG_", "PEERUP")) and k not in
                ("NO_COLOR", "COLUMNS", "TERM")}
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("4H", 24, columns, 0, 0))
            os.chdir(home)
            os.execve(PROGRAM, [PROGRAM, *args],
                      {**keep, "HOME": home, "TERM": "xterm", "PEERUP_RUNTIME_DIR": home, **env})

    def read(self, patience):
        if not select.select([self.fd], [], [], patience)[0]:
            return False
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            data = b""
        self.seen += data
        return bool(data)

    def until(self, text):
        end = time.monotonic() + PATIENCE
        while text not in self.seen:
            assert time.monotonic() < end, (text, self.seen)
            if not self.read(1) and self.over():
                assert text in self.seen, (text, self.seen)
        return self

    def over(self):
        return not os.path.exists("/proc/%d" % self.pid)

    def type(self, line):
        os.write(self.fd, line.encode() + b"\r")
        return self

    def press(self, key):
        os.write(self.fd, key)
        return self

    def end(self):
        """The exit status."""
        until = time.monotonic() + PATIENCE
        while True:
            while self.read(0):
                pass
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                while self.read(0):
                    pass
                os.close(self.fd)
                return os.waitstatus_to_exitcode(status)
            if time.monotonic() > until:
                os.kill(self.pid, signal.SIGKILL)
                raise AssertionError("does not end: %r" % self.seen)
            time.sleep(0.02)

    @property
    def text(self):
        plain = re.sub(rb"\033\[[0-9;]*m", b"", self.seen)
        return plain.decode().replace("\r", "")

    def command_line(self):
        """What others see in the list of processes."""
        with open("/proc/%d/cmdline" % self.pid, "rb") as f, \
                open("/proc/%d/environ" % self.pid, "rb") as e:
            return f.read() + e.read()


def run(home, *args):
    done = subprocess.run([PROGRAM, *args], env={**os.environ, "HOME": home,
                                                 "PEERUP_RUNTIME_DIR": home}, cwd=home,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          stdin=subprocess.DEVNULL, check=False)
    assert done.returncode == 0, done
    return done.stdout


# ---- QR codes

class QRcode(ctypes.Structure):
    _fields_ = [("version", ctypes.c_int), ("width", ctypes.c_int),
                ("data", ctypes.POINTER(ctypes.c_ubyte))]


def modules_of(text):
    """The rows of the code as the library makes them: True is dark."""
    name = ctypes.util.find_library("qrencode") or "libqrencode.so.4"
    lib = ctypes.CDLL(name)
    lib.QRcode_encodeString.restype = ctypes.POINTER(QRcode)
    q = lib.QRcode_encodeString(text.encode(), 0, 1, 2, 1).contents
    return [[bool(q.data[y * q.width + x] & 1) for x in range(q.width)]
            for y in range(q.width)]


HALVES = {" ": (True, True), "\u2580": (False, True), "\u2584": (True, False),
          "\u2588": (False, False)}


def drawn(text):
    """The rows of the code on the screen, of light half blocks, without its margin."""
    lines = [line for line in text.split("\n") if line.strip() and set(line) <= set(HALVES)]
    rows = []
    for line in lines:
        rows.append([HALVES[c][0] for c in line])
        rows.append([HALVES[c][1] for c in line])
    assert len({len(r) for r in rows}) == 1, text
    # Below an odd last row is half a line of nothing.
    rows = rows[:len(rows[0])]
    margin = 2
    assert not any(any(r) for r in rows[:margin] + rows[-margin:]), "no light margin"
    assert not any(any(r[:margin] + r[-margin:]) for r in rows), "no light margin"
    return [r[margin:-margin] for r in rows[margin:-margin]]


def finder(rows, y, x):
    want = ["1111111", "1000001", "1011101", "1011101", "1011101", "1000001", "1111111"]
    return all(rows[y + j][x + i] == (want[j][i] == "1") for j in range(7) for i in range(7))


def the_code_can_be_scanned(home):
    t = Terminal(home, "invite", "--name", "home", "--no-up").until(b"Waiting for the other machine")
    code = re.search(r"\n  (\S+/\d+-\w+-\w+-\w+)\n", t.text).group(1)
    rows = drawn(t.text)
    n = len(rows)
    assert n == len(rows[0]) and (n - 17) % 4 == 0, n
    assert finder(rows, 0, 0) and finder(rows, 0, n - 7) and finder(rows, n - 7, 0)
    try:
        want = modules_of(code)
    except OSError:
        print("no libqrencode to compare with")
    else:
        assert rows == want, "the drawing is that of another text"
    assert "sudo peerup-vpn join " + code in t.text
    # White on black whatever the colours of the terminal are.
    assert t.seen.count(b"\033[97;40m") == (n + 5) // 2, t.seen.count(b"\033[97;40m")
    t.press(b"\x03")
    assert t.end() != 0
    assert "canceled; the code is void" in t.text, t.text


def without_colors(home):
    t = Terminal(home, "invite", "--no-up", NO_COLOR="1").until(b"Waiting for")
    assert COLOR not in t.seen
    assert finder(drawn(t.text), 0, 0)
    t.press(b"\x03")
    assert t.end() != 0
    assert COLOR not in t.seen


def a_narrow_terminal_gets_words(home):
    t = Terminal(home, "invite", "--no-up", columns=20).until(b"Waiting for")
    assert "\u2588" not in t.text
    assert "(The terminal is too narrow for a QR code.)" in t.text
    t.press(b"\x03")
    assert t.end() != 0


def the_end_of_the_terminal_ends_it(home):
    t = Terminal(home, "invite", "--no-up").until(b"Waiting for")
    os.kill(t.pid, signal.SIGTERM)
    assert t.end() != 0
    assert "canceled" in t.text, t.text


def the_code_is_asked_for(home):
    t = Terminal(home, "join", "--no-up").until(b"Code from the other machine: ")
    t.type("7-otter-canyon-nothing")
    assert t.end() != 0
    assert "code" in t.text.split("\n")[1], t.text
    t = Terminal(home, "join", "--no-up").until(b"Code from the other machine: ")
    t.type("127.0.0.1:9/7-otter-canyon-maple")
    time.sleep(0.1)
    if not t.over():
        assert b"otter" not in t.command_line()
    t.press(b"\x03")
    assert t.end() != 0
    # Nobody types anything.
    t = Terminal(home, "join").until(b"Code from the other machine: ").press(b"\x04")
    assert t.end() == 2 and "PEERUP_INVITE_CODE" in t.text, t.text
    t = Terminal(home, "join").until(b"Code from the other machine: ").press(b"\x03")
    assert t.end() != 0


def verify_asks(home):
    run(home, "auth", "add", ID1)
    t = Terminal(home, "verify", ID1).until(b"[y/N] ").type("n")
    assert t.end() == 0 and "Nothing was changed" in t.text, t.text
    assert "verified=" not in keys(home)
    t = Terminal(home, "verify", ID1).until(b"[y/N] ").type("")
    assert t.end() == 0 and "verified=" not in keys(home)
    t = Terminal(home, "verify", ID1).until(b"[y/N] ").press(b"\x04")
    assert t.end() == 0 and "verified=" not in keys(home)
    t = Terminal(home, "verify", ID1).until(b"[y/N] ").press(b"\x03")
    assert t.end() != 0 and "verified=" not in keys(home)
    t = Terminal(home, "verify", ID1).until(b"[y/N] ").type("y")
    assert t.end() == 0 and "verified=" in keys(home), t.text


def keys(home):
    with open(os.path.join(home, ".config/peerup/authorized_keys"), encoding="utf-8") as f:
        return f.read()


def init_asks(home):
    """On a machine without a config."""
    other = os.path.join(home, "other")
    os.mkdir(other)
    question = b"Relay (multiaddr or IP[:PORT], empty for none): "
    t = Terminal(other, "init").until(question).type("nonsense").until(b"Peer ID").type("none")
    assert t.end() != 0
    assert not os.path.exists(os.path.join(other, ".config/peerup/config.yaml"))
    t = Terminal(other, "init").until(question).type("192.0.2.1")
    t.until(b"Peer ID of the relay: ").type(ID1)
    assert t.end() == 0 and "Your peer ID: 12D3KooW" in t.text, t.text
    assert "/ip4/192.0.2.1/tcp/7777/p2p/" + ID1 in run(other, "relay", "list")
    run(other, "config", "validate")


@contextlib.contextmanager
def place():
    home = tempfile.mkdtemp(prefix="pu_tty_")
    try:
        run(home, "init", "--non-interactive", "--port", "0")
        yield home
    finally:
        shutil.rmtree(home)


def main():
    if "PEERUP_TTY_LAB" not in os.environ:
        flags = ["--net"] + ([] if os.geteuid() == 0 else ["--user", "--map-root-user"])
        if subprocess.run(["unshare", *flags, "true"], stderr=subprocess.DEVNULL,
                          check=False).returncode:
            print("skipped: no network namespaces here")
            sys.exit(77)
        os.environ["PEERUP_TTY_LAB"] = "1"
        os.execvp("unshare", ["unshare", *flags, sys.executable, *sys.argv])
    # An address that a code can name.
    for words in ("link set lo up", "link add d0 type veth peer name d1", "link set d0 up",
                  "link set d1 up", "addr add 10.9.1.1/16 dev d0"):
        subprocess.run(["ip", *words.split()], check=True)
    for test in (the_code_can_be_scanned, without_colors, a_narrow_terminal_gets_words,
                 the_end_of_the_terminal_ends_it, the_code_is_asked_for, verify_asks, init_asks):
        print("- " + test.__name__, flush=True)
        with place() as home:
            test(home)


main()
