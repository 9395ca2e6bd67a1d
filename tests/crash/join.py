"""Invitations and pairing with a relay, one side killed or without disk at each call that changes
the disk. Afterwards both are started again: what they know of each other becomes mutual, or is
only for a while; nothing is broken; and the same thing done again works."""

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
        assert "no space" in done.stderr.lower(), done
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
        heard = join(b, code) if code else None
        if mode in KILLS or not code:
            happened = judge(mode, fault, Done(p), a)
        else:
            happened = fault.acted
            fault.arm(lab.OFF, 0)
            lab.end(p)
            if heard.returncode != 0:
                assert "store" in heard.stderr, heard
        afterwards(a, b, happened)
        return happened


def main():
    lab.enter()
    sweep = lab.Sweep()
    modes = [lab.KILL_BEFORE, lab.FULL] + ([lab.KILL_AFTER] if lab.ALL else [])
    sweep.sweep("joiner", joiner, modes)
    sweep.sweep("inviter", inviter, modes)
    sweep.finish()


main()
