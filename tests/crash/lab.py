"""Machines of one network namespace, each a folder and an address, whose programs lose power or
disk at a chosen call (tests/support/crash_preload.c). Scripts begin with `program = lab.enter()`
and hand their cases to lab.sweep()."""
import concurrent.futures
import contextlib
import json
import mmap
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
import traceback

PATIENCE = 30  # seconds until something counts as not happening
ALL = bool(os.environ.get("PEERUP_TEST_ALL"))
OFF, KILL_BEFORE, KILL_AFTER, FULL, READ_ONLY, BROKEN = range(6)
MODES = ["", "killed before", "killed after", "disk full", "read-only", "broken disk"]
PORT = 4001
WORKERS = 6
TEMPORARY = re.compile(r"\.([a-z]+-)?[A-Za-z0-9]{6}$")

program = preload = None


def skip(why):
    print("skipped: " + why)
    sys.exit(77)


def enter():
    """Again in a network of its own, with an address per machine that counts as reachable."""
    global program, preload
    program, preload = (os.path.realpath(p) for p in sys.argv[1:3])
    if "PEERUP_CRASH_LAB" not in os.environ:
        # Those who look at the end for processes left over find them in one place.
        flags = ["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
        if os.geteuid() != 0:
            flags += ["--user", "--map-root-user"]
        if subprocess.run(["unshare", *flags, "true"], stderr=subprocess.DEVNULL,
                          check=False).returncode:
            skip("no network namespaces here")
        os.environ["PEERUP_CRASH_LAB"] = "1"
        os.execvp("unshare", ["unshare", *flags, sys.executable, *sys.argv])
    for words in ("link set lo up", "link add d0 type veth peer name d1", "link set d0 up",
                  "link set d1 up"):
        if subprocess.run(["ip", *words.split()], check=False).returncode:
            skip("no network devices here")


def wait_for(what, check, patience=PATIENCE):
    end = time.monotonic() + patience
    while True:
        value = check()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError("not within %d s: %s" % (patience, what))
        time.sleep(0.03)


class Fault:
    """What shall happen to a program, and what did."""

    def __init__(self, folder, mode=OFF, at=0):
        fd, self.path = tempfile.mkstemp(prefix="fault", dir=folder)
        os.write(fd, struct.pack("4I", 0, 0, 0, 0))
        self.map = mmap.mmap(fd, 16)
        os.close(fd)
        self.arm(mode, at)

    def arm(self, mode, at):
        """Counting begins now."""
        self.map[:] = struct.pack("4I", mode, at, 0, 0)

    @property
    def seen(self):
        return struct.unpack("4I", self.map[:])[2]

    @property
    def acted(self):
        return bool(struct.unpack("4I", self.map[:])[3])


class Machine:
    addresses = iter("10.9.%d.%d" % (i, j) for i in range(1, 200) for j in range(1, 250))
    lock = threading.Lock()

    def __init__(self, top, name, address=None):
        self.name, self.home = name, os.path.join(top, name)
        self.folder = os.path.join(self.home, ".config/peerup")
        self.config = os.path.join(self.folder, "config.yaml")
        self.keys = os.path.join(self.folder, "authorized_keys")
        self.run_dir = os.path.join(self.home, "run")
        self.processes = []
        os.makedirs(self.run_dir)
        self.address = address or self.new_address()

    @classmethod
    def new_address(cls):
        with cls.lock:
            address = next(cls.addresses)
        subprocess.run(["ip", "addr", "add", address + "/16", "dev", "d0"], check=True)
        return address

    def init(self, *args):
        self.ok("init", "--non-interactive", "--port", str(PORT), *args)
        self.only_here()
        return self

    def only_here(self):
        """It shall not meet the other machines by other ways than those of its case."""
        with open(self.config, encoding="utf-8") as f:
            lines = f.read().split("\n")
        lines = [line.replace("/ip4/0.0.0.0/", "/ip4/%s/" % self.address) for line in lines
                 if "/ip6/::/" not in line]
        lines = [line + "\n  mdns: false" if line == "discovery:" else line for line in lines]
        with open(self.config, "w", encoding="utf-8") as f:
            f.write("\n".join(lines))

    @property
    def id(self):
        return self.json("whoami", "--json")["peer_id"]

    def env(self, fault=None):
        keep = {k: v for k, v in os.environ.items()
                if not k.startswith(("SUDO_", "XDG_", "PEERUP"))}
        keep.update(HOME=self.home, PEERUP_RUNTIME_DIR=self.run_dir, NO_COLOR="1")
        if fault:
            keep.update(LD_PRELOAD=preload, PU_CRASH_STATE=fault.path)
        return keep

    def start(self, *args, fault=None, out="out"):
        """In a session of its own: a crash takes all of its processes."""
        path = os.path.join(self.home, out)
        with open(path, "wb") as o, open(path + ".err", "wb") as e:
            p = subprocess.Popen([program, *args], env=self.env(fault), cwd=self.home, stdout=o,
                                 stderr=e, stdin=subprocess.DEVNULL, start_new_session=True)
        p.out, p.err = path, path + ".err"
        self.processes.append(p)
        return p

    def run(self, *args, fault=None, stdin=None, patience=PATIENCE):
        return subprocess.run([program, *args], env=self.env(fault), cwd=self.home, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, input=stdin or "",
                              timeout=patience, check=False, start_new_session=True)

    def ok(self, *args, **more):
        done = self.run(*args, **more)
        assert done.returncode == 0, (self.name, args, done.returncode, done.stdout, done.stderr)
        return done.stdout

    def json(self, *args):
        return json.loads(self.ok(*args))

    def up(self, fault=None):
        self.daemon = self.start("daemon", fault=fault, out="daemon.log")
        wait_for("the daemon of " + self.name, self.answers)
        return self.daemon

    def answers(self):
        if self.daemon.poll() is not None:
            raise AssertionError("the daemon ended: " + text_of(self.daemon.err))
        return '"running":true' in self.run("status", "--json").stdout

    def down(self):
        end(self.daemon)

    def kill_all(self):
        for p in self.processes:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(p.pid, signal.SIGKILL)
            p.wait()
        self.processes = []

    # ---- what is there

    def lines(self):
        """The lines of authorized_keys, by peer."""
        if not os.path.exists(self.keys):
            return {}
        with open(self.keys, encoding="utf-8") as f:
            lines = [line for line in f.read().split("\n") if line and line[0] != "#"]
        return {line.split()[0]: line for line in lines}

    def knows(self, other):
        """"" not at all, "while" provisionally, "ever" for good."""
        line = self.lines().get(other)
        assert line is None or ("pending=" in line) == ("expires=" in line), line
        return "" if line is None else "while" if "pending=" in line else "ever"

    def check_files(self):
        """What commands and daemons use is whole; nothing is left over but what is young."""
        self.ok("config", "validate")
        self.ok("auth", "validate")
        names = os.listdir(self.folder)
        assert ".enrolment" not in names, names
        left = [n for n in names if TEMPORARY.search(n)]
        assert len(left) <= 1, left

    def make_old(self):
        """The files that a crash left are an hour old."""
        for name in os.listdir(self.folder):
            then = time.time() - 3600
            os.utime(os.path.join(self.folder, name), (then, then), follow_symlinks=False)

    def check_tidy(self):
        names = os.listdir(self.folder)
        left = [n for n in names if TEMPORARY.search(n)]
        assert not left, left

    def snapshot(self):
        found = {}
        for name in os.listdir(self.folder):
            if name in ("addresses", ".authorized_keys.lock", "events.json"):
                continue
            with open(os.path.join(self.folder, name), "rb") as f:
                found[name] = f.read()
        return found


def mount_small(folder):
    """A file system with room for some small files; it goes with the namespace."""
    return subprocess.run(["mount", "-t", "tmpfs", "-o", "size=128k,mode=700", "tmpfs", folder],
                          stderr=subprocess.DEVNULL, check=False).returncode


def end(p, sig=signal.SIGTERM):
    if p.poll() is None:
        p.send_signal(sig)
    return p.wait(PATIENCE)


def text_of(path):
    with open(path, encoding="utf-8", errors="replace") as f:
        return f.read()


@contextlib.contextmanager
def place():
    """A folder for one case, whose machines are gone afterwards."""
    top = tempfile.mkdtemp(prefix="pu_crash_")
    machines = []

    def machine(name, **more):
        machines.append(Machine(top, name, **more))
        return machines[-1]

    machine.top = top
    try:
        yield machine
    except BaseException:
        for m in machines:
            for p in m.processes:
                print("--- %s %s:\n%s%s" % (m.name, p.args[1:], text_of(p.out)[-1500:],
                                            text_of(p.err)[-1500:]))
            if os.path.isdir(m.folder):
                print("--- %s: %s" % (m.name, sorted(os.listdir(m.folder))))
                print("\n".join(m.lines().values()))
        raise
    finally:
        for m in machines:
            m.kill_all()
            if os.path.ismount(m.folder):
                subprocess.run(["umount", "-l", m.folder], check=False)
        shutil.rmtree(top)


class Sweep:
    """Runs case(mode, at) for at = 1, 2, … until it returns False: the fault came too late. A
    disk that is read-only is so from the beginning, unless all is tested."""

    def __init__(self):
        self.pool = concurrent.futures.ThreadPoolExecutor(WORKERS)
        self.failed = 0
        self.lock = threading.Lock()

    def one(self, name, case, mode, at):
        try:
            return case(mode, at)
        except Exception:  # pylint: disable=broad-except
            with self.lock:
                self.failed += 1
                print("FAILED: " + name + (", %s call %d" % (MODES[mode], at) if at else ""))
                traceback.print_exc(file=sys.stdout)
                sys.stdout.flush()
            return True

    def each(self, tests):
        """Tests without places."""
        def case(test):
            with place() as machine:
                test(machine)

        jobs = [self.pool.submit(self.one, t.__name__, lambda *_, t=t: case(t), OFF, 0)
                for t in tests]
        for t, j in zip(tests, jobs):
            j.result()
            print("- " + t.__name__, flush=True)

    def sweep(self, name, case, modes, step=1):
        began = time.monotonic()
        for mode in modes:
            at, reached, n = 1, True, 0
            while reached and self.failed < 5:
                only_first = mode == READ_ONLY and not ALL
                jobs = [self.pool.submit(self.one, name, case, mode, at + i * step)
                        for i in range(1 if only_first else WORKERS)]
                reached = all([j.result() for j in jobs])
                n += sum(j.result() is True for j in jobs)
                at += WORKERS * step
                reached = reached and not only_first
            assert n > 0 or self.failed, name + ": nothing was tested"
            print("- %s, %s: %d places, %.1f s" %
                  (name, MODES[mode], n, time.monotonic() - began), flush=True)
            began = time.monotonic()

    def finish(self):
        self.pool.shutdown()
        sys.exit(1 if self.failed else 0)
