"""Commands that change files, killed or failing at each call that changes the disk: afterwards
the files are those of before or those of after, whole, and the same command works."""
import os
import shutil

import lab

ID1 = "12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5"
ID2 = "12D3KooWJWoaqZhDaoEFshF7Rh1bpY9ohihFhzcW6d69Lr2NASuq"

COMMANDS = [
    ("auth", "add", ID2, "--comment", "two", "--access", "network"),
    ("auth", "set", ID1, "--access", "network"),
    ("auth", "remove", ID1),
    ("verify", ID1, "--yes"),
    ("name", "add", "two", ID2),
    ("name", "remove", "one"),
    ("service", "add", "web", "localhost:80"),
    ("relay", "add", "/ip4/192.0.2.1/tcp/7777/p2p/" + ID1),
]
TRIAL = ("config", "apply", "new.yaml", "--confirm-timeout", "1h")


def made(machine):
    m = machine("a").init()
    m.ok("auth", "add", ID1, "--comment", "one")
    m.ok("name", "add", "one", ID1)
    with open(m.config, encoding="utf-8") as f:
        text = f.read().replace("mtu: 0", "mtu: 1300")
    with open(os.path.join(m.home, "new.yaml"), "w", encoding="utf-8") as f:
        f.write(text)
    os.chmod(f.name, 0o600)
    return m


def words(args, m):
    return [os.path.join(m.home, "new.yaml") if a.endswith("new.yaml") else a for a in args]


def visible(m):
    """Without what a crash may leave for the next command to tidy up. Of the marker of a trial
    only that it is there: it says when."""
    now = m.snapshot()
    kept = {k: now.get(k) for k in ("config.yaml", "authorized_keys", "identity.key")}
    return {**kept, "trial": ".config.pending" in now}


def acceptable(now, before, after):
    """In the middle of a trial's beginning or end the old config may stand beside the marker."""
    if now in (before, after):
        return True
    return now["trial"] and dict(now, trial=False) in (before, after)


def copy_of(m, machine, name):
    other = machine(name, address=m.address)
    shutil.copytree(m.folder, other.folder)
    shutil.copy(os.path.join(m.home, "new.yaml"), other.home)
    return other


def command(args, prepare=()):
    def case(mode, at):
        with lab.place() as machine:
            return go(machine, mode, at)

    def go(machine, mode, at):
        m = made(machine)
        for p in prepare:
            m.ok(*words(p, m))
        ideal = copy_of(m, machine, "ideal")
        before = visible(m)
        ideal.ok(*words(args, ideal))
        after = visible(ideal)
        fault = lab.Fault(machine.top, mode, at)
        done = m.run(*words(args, m), fault=fault)
        if not fault.acted:
            assert done.returncode == 0, done
            return False
        if mode in (lab.KILL_BEFORE, lab.KILL_AFTER):
            assert done.returncode == -9, done
        else:
            judge_failure(m, mode, done, before, after)
        now = visible(m)
        assert acceptable(now, before, after), now
        m.check_files()
        if now not in (before, after):
            m.ok("config", "rollback")
            now = visible(m)
            assert now in (before, after), now
        again(m, args, now != after, after)
        return True

    return case


def judge_failure(m, mode, done, before, after):
    """Success although the directory could not be synced; or a cause, a file, and no trace."""
    if done.returncode == 0:
        assert visible(m) == after, done
        return
    # What cannot be removed any more stays.
    now = visible(m)
    assert now == before or mode != lab.FULL and acceptable(now, before, after), (done, now)
    cause = {lab.FULL: "no space", lab.READ_ONLY: "read-only", lab.BROKEN: "input/output"}[mode]
    said = done.stderr.lower()
    assert cause in said and m.folder in done.stderr, done
    if mode == lab.FULL:
        m.check_tidy()


def again(m, args, needed, after):
    m.make_old()
    if needed:
        done = m.run(*words(args, m))
        assert done.returncode == 0 and visible(m) == after, done
    # Whatever it was, the next change tidies up.
    m.ok("name", "add", "three", ID1)
    m.check_tidy()


def first(mode, at):
    """init on a new machine."""
    with lab.place() as machine:
        m = machine("a")
        fault = lab.Fault(machine.top, mode, at)
        done = m.run("init", "--non-interactive", fault=fault)
        if not fault.acted:
            assert done.returncode == 0, done
            return False
        if not os.path.exists(m.config):
            m.ok("init", "--non-interactive")
        assert m.id
        m.check_files()
        m.make_old()
        m.ok("name", "add", "one", ID1)
        m.ok("auth", "add", ID1)
        m.check_tidy()
        return True


def main():
    lab.enter()
    sweep = lab.Sweep()
    modes = [lab.KILL_BEFORE, lab.FULL, lab.READ_ONLY]
    if lab.ALL:
        modes += [lab.KILL_AFTER, lab.BROKEN]
    sweep.sweep("init", first, modes)
    for args in COMMANDS:
        sweep.sweep(" ".join(args[:2]), command(args), modes)
    sweep.sweep("config apply", command(TRIAL), modes)
    sweep.sweep("config confirm", command(("config", "confirm"), [TRIAL]), modes)
    sweep.sweep("config rollback", command(("config", "rollback"), [TRIAL]), modes)
    sweep.finish()


main()
