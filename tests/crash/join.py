"""Invitations and pairing with a relay, one side killed or without disk at each call that changes
the disk. Afterwards both are started again: what they know of each other becomes mutual, or is
only for a while; nothing is broken; and the same thing done again works."""

import os
import re
import signal
import time

import lab
from lab import wait_for

KILLS = (lab.KILL_BEFORE, lab.KILL_AFTER)


def code_of(p):
    """The code that `invite` prints; None when it ended without one."""
    def look():
        return lab.text_of(p.out).split("\n")[0] if "\n" in lab.text_of(p.out) else \
            p.poll() is not None and "none"
    code = wait_for("a code", look)
    return None if code == "none" else code


def invite(m, *more, fault=None):
    return m.start("invite", "--name", "home", "--non-interactive", "--no-up", *more, fault=fault,
                   out="invite.log")


def join(m, code, fault=None):
    return m.run("join", code, "--name", "laptop", "--non-interactive", "--no-up", fault=fault)


def mutual(a, b):
    return a.knows(b.id) == "ever" and b.knows(a.id) == "ever"


def settled(a, b):
    """Nobody waits for a word of the other that can still come."""
    ab, ba = a.knows(b.id), b.knows(a.id)
    return (ab == "ever") == (ba == "ever") and not (ab and ba and "while" in (ab, ba))


def recover(*machines):
    """The files before and after the next start; there is no journal then."""
    for m in machines:
        m.up()
    for m in machines:
        m.check_files()


def once_more(a, b):
    """With the daemons that run: whatever was left over is in nobody's way."""
    p = a.start("invite", "--name", "home", "--non-interactive", out="again.log")
    done = join(b, code_of(p))
    assert done.returncode == 0, done
    assert p.wait(lab.PATIENCE) == 0, lab.text_of(p.err)
    assert mutual(a, b), (a.lines(), b.lines())


def judge(mode, fault, done, m):
    """What the faulty side said. False: the fault came too late for it."""
    if not fault.acted:
        return False
    if mode in KILLS:
        assert done.returncode == -9, done
    elif done.returncode != 0:
        said = "no space" if mode == lab.FULL else "input/output"
        assert said in done.stderr.lower(), done
        if mode == lab.FULL:
            m.check_tidy()
    return True


class Done:
    """A process that was started, as if it had been run."""

    def __init__(self, p):
        self.returncode = p.wait(lab.PATIENCE)
        self.stdout, self.stderr = lab.text_of(p.out), lab.text_of(p.err)

    def __repr__(self):
        return "%d %s %s" % (self.returncode, self.stdout, self.stderr)


def afterwards(a, b, happened):
    recover(a, b)
    wait_for("agreement", lambda: settled(a, b), 15)
    if not happened:
        assert mutual(a, b), (a.lines(), b.lines())
    once_more(a, b)
    for m in (a, b):
        m.down()
        m.make_old()
        m.ok("name", "add", "tidy", a.id)
        m.check_tidy()


def joiner(mode, at):
    """The joiner has no config yet: that is part of it."""
    with lab.place() as machine:
        a, b = machine("a").init(), machine("b")
        b.init()
        fault = lab.Fault(machine.top, mode, at)
        p = invite(a)
        code = code_of(p)
        happened = judge(mode, fault, join(b, code, fault), b) if code else False
        lab.end(p)
        afterwards(a, b, happened)
        return happened


def inviter(mode, at):
    with lab.place() as machine:
        a, b = machine("a").init(), machine("b").init()
        fault = lab.Fault(machine.top, mode, at)
        p = invite(a, fault=fault)
        code = code_of(p)
        if not code:
            happened = judge(mode, fault, Done(p), a)
        elif mode in KILLS:
            happened = deserted(b, code, p, fault)
        else:
            heard = join(b, code)
            happened = fault.acted
            fault.arm(lab.OFF, 0)
            lab.end(p)
            assert heard.returncode == 0 or "store" in heard.stderr, heard
        afterwards(a, b, happened)
        return happened


def deserted(b, code, inviting, fault):
    """Who joins an inviter that dies would wait for it; here not for long."""
    p = b.start("join", code, "--name", "laptop", "--non-interactive", "--no-up", out="join.log")
    wait_for("somebody's end", lambda: fault.acted or p.poll() is not None)
    if fault.acted:
        assert inviting.wait(lab.PATIENCE) == -9
        lab.end(p, signal.SIGINT)
        return True
    assert Done(p).returncode == 0 and Done(inviting).returncode == 0
    return fault.acted


# ---- through a relay

def relay_at(machine):
    """A relay for members only, at an address that codes can name."""
    r = machine("relay")
    r.dir = os.path.join(r.home, "r")
    r.relay = os.path.join(r.dir, "relay-server.yaml")
    r.keys = os.path.join(r.dir, "relay_authorized_keys")
    r.ok("relay", "setup", "--dir", r.dir, "--port", "7777")
    text = lab.text_of(r.relay)
    text = "\n".join(line.replace("/ip4/0.0.0.0/", "/ip4/%s/" % r.address)
                     for line in text.split("\n") if "/ip6/::/" not in line)
    with open(r.relay, "w", encoding="utf-8") as f:
        f.write(text)
    return r


def serve(r, fault=None):
    """One that was killed may hold its port for a moment longer."""
    for _ in range(50):
        r.daemon = r.start("relay", "serve", "--config", r.relay, fault=fault, out="relay.log")
        wait_for("the relay", lambda: r.daemon.poll() is not None or
                 "Relay Peer ID" in lab.text_of(r.daemon.out))
        if r.daemon.poll() is None:
            return
        time.sleep(0.05)
    raise AssertionError("the relay does not start")


def pair_code(r):
    return r.json("relay", "pair", "--config", r.relay, "--json")["codes"][0]


def pair(b, code, fault=None):
    return b.run("join", code, "--name", "laptop", "--non-interactive", "--no-up", fault=fault)


def is_paired(b, r):
    """Both know it, and the joiner uses the relay."""
    return b.id in r.lines() and "7777" in lab.text_of(b.config) and any(
        "group=" in line for line in b.lines().values())


def check_relay(r):
    r.ok("auth", "validate", r.keys)
    r.ok("relay", "config", "validate", r.relay)


def paired_joiner(mode, at):
    """The same code works again for whom it was lost half-way."""
    with lab.place() as machine:
        r, b = relay_at(machine), machine("b").init()
        serve(r)
        code = pair_code(r)
        fault = lab.Fault(machine.top, mode, at)
        happened = judge(mode, fault, pair(b, code, fault), b)
        if happened:
            done = pair(b, code)
            assert done.returncode == 0, done
        assert is_paired(b, r), (b.lines(), r.lines())
        b.check_files()
        check_relay(r)
        lab.end(r.daemon)
        return happened


def paired_relay(mode, at):
    """Its codes are gone with it; who was told to be a member is one."""
    with lab.place() as machine:
        r, b = relay_at(machine), machine("b").init()
        fault = lab.Fault(machine.top)
        serve(r, fault)
        code = pair_code(r)
        fault.arm(mode, at)
        p = b.start("join", code, "--name", "laptop", "--non-interactive", "--no-up",
                    out="join.log")
        wait_for("somebody's end", lambda: p.poll() is not None or mode in KILLS and fault.acted)
        happened = fault.acted
        fault.arm(lab.OFF, 0)
        joined = lab.end(p, signal.SIGINT) == 0 if happened and mode in KILLS else p.wait() == 0
        assert joined or happened, Done(p)
        if happened and mode in KILLS:
            r.kill_all()
            serve(r)
            code = None
        if joined:
            assert is_paired(b, r), (b.lines(), r.lines())
        done = pair(b, code or pair_code(r))
        assert done.returncode == 0, done
        assert is_paired(b, r), (b.lines(), r.lines())
        b.check_files()
        check_relay(r)
        lab.end(r.daemon)
        return happened


def old_code(mode, at):
    """Version 1 has no last word: the inviter may know a joiner that does not know it."""
    with lab.place() as machine:
        r, a, b = relay_at(machine), machine("a").init(), machine("b").init()
        relay_id = re.search("12D3Koo[0-9A-Za-z]+", r.ok("relay", "info", "--config", r.relay))
        a.ok("relay", "add", "/ip4/%s/tcp/7777/p2p/%s" % (r.address, relay_id.group(0)))
        r.ok("relay", "authorize", a.id, "home", "--config", r.relay)
        serve(r)
        fault = lab.Fault(machine.top, mode, at)
        p = invite(a, "--compat")
        happened = judge(mode, fault, join(b, code_of(p), fault), b)
        lab.end(p)
        b.ok("status")
        b.check_files()
        assert happened or mutual(a, b), (a.lines(), b.lines())
        assert not b.knows(a.id) or a.knows(b.id) == "ever", (a.lines(), b.lines())
        p = invite(a, "--compat")
        done = join(b, code_of(p))
        assert done.returncode == 0 and p.wait(lab.PATIENCE) == 0, done
        assert mutual(a, b), (a.lines(), b.lines())
        lab.end(r.daemon)
        return happened


def main():
    lab.enter()
    sweep = lab.Sweep()
    full = [lab.KILL_AFTER, lab.BROKEN] if lab.ALL else []
    # Every second place: the others are those of one more call of the same replacing.
    step = 1 if lab.ALL else 2
    for name, case in (("joiner", joiner), ("inviter", inviter),
                       ("joiner of a relay", paired_joiner), ("relay", paired_relay)):
        sweep.sweep(name, case, [lab.KILL_BEFORE] + full, step)
        sweep.sweep(name, case, [lab.FULL], 2 * step)
    # The places of a replaced file are the same here; its own are the outcomes.
    sweep.sweep("joiner with an old code", old_code, [lab.KILL_BEFORE], 1 if lab.ALL else 4)
    sweep.finish()


main()
