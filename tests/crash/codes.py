"""Codes that are wrong, used, taken back, too old, or wanted by two at once."""
import contextlib
import os
import re
import threading
import time

import lab


def invite(a, *more):
    p = a.start("invite", "--name", "home", "--non-interactive", "--no-up", *more,
                out="invite.log")
    lab.wait_for("a code", lambda: p.poll() is not None or "\n" in lab.text_of(p.out))
    assert p.poll() is None, lab.text_of(p.err)
    return p, lab.text_of(p.out).strip()


def join(m, code):
    return m.run("join", code, "--name", m.name, "--non-interactive", "--no-up")


def refused(m, code, why):
    done = join(m, code)
    assert done.returncode == 1 and re.search(why, done.stderr), done
    assert not m.lines(), m.lines()
    m.check_files()


def misread(code):
    """The same number with other words of the list."""
    first = "maple-otter-canyon"
    return code.rsplit("/", 1)[0] + "/" + code.rsplit("/", 1)[1].split("-")[0] + "-" + first


def wrong_ones_make_it_void(machine):
    a, b = machine("a").init(), machine("b").init()
    p, code = invite(a)
    for _ in range(4):
        refused(b, misread(code), "the code is wrong")
        assert p.poll() is None, "void too early"
    refused(b, misread(code), "the code is wrong")
    assert p.wait(lab.PATIENCE) == 1
    assert "wrong codes were tried too often" in lab.text_of(p.err), lab.text_of(p.err)
    refused(b, code, "cannot be reached|no open|used|expired")
    assert not a.lines()


def four_wrong_ones_do_not(machine):
    a, b = machine("a").init(), machine("b").init()
    p, code = invite(a)
    for _ in range(4):
        refused(b, misread(code), "the code is wrong")
    # Mistyped ones are noticed here and cost nothing.
    for _ in range(6):
        refused(b, code[:-1] + ("x" if code[-1] != "x" else "q"), "")
    done = join(b, code)
    assert done.returncode == 0 and p.wait(lab.PATIENCE) == 0, done


def a_used_one_is_no_good(machine):
    a, b, c = machine("a").init(), machine("b").init(), machine("c").init()
    a.up()
    p, code = invite(a)
    assert join(b, code).returncode == 0 and p.wait(lab.PATIENCE) == 0
    before = a.lines()
    refused(c, code, "used|expired|no open")
    assert a.lines() == before
    a.down()


def a_canceled_one_is_no_good(machine):
    a, b = machine("a").init(), machine("b").init()
    a.up()
    code = a.ok("invite", "--name", "home", "--non-interactive", "--no-wait").strip()
    number = a.json("invite", "list", "--json")[0]["id"]
    a.ok("invite", "cancel", str(number))
    refused(b, code, "used|expired|no open")
    assert a.json("invite", "list", "--json")[0]["state"] == "canceled"
    # ^C does the same.
    p, code = invite(a)
    assert lab.end(p, 2) == 1 and "canceled" in lab.text_of(p.err)
    refused(b, code, "used|expired|no open")
    assert not a.lines()
    a.down()


def an_old_one_is_no_good(machine):
    a, b = machine("a").init(), machine("b").init()
    a.up()
    began = time.monotonic()
    p, code = invite(a, "--ttl", "10s")
    assert p.wait(lab.PATIENCE) == 1 and "nobody has come in time" in lab.text_of(p.err)
    assert 9 <= time.monotonic() - began < 13
    refused(b, code, "used|expired|no open")
    assert not a.lines()
    a.down()


def one_of_two_wins(machine):
    a, b, c = machine("a").init(), machine("b").init(), machine("c").init()
    p, code = invite(a)
    done = {}
    racers = [threading.Thread(target=lambda m=m: done.update({m.name: join(m, code)}))
              for m in (b, c)]
    for r in racers:
        r.start()
    for r in racers:
        r.join()
    won = [m for m in (b, c) if done[m.name].returncode == 0]
    lost = [m for m in (b, c) if m not in won]
    assert len(won) == 1 and p.wait(lab.PATIENCE) == 0, done
    said = done[lost[0].name].stderr
    assert re.search("used|somebody was faster|no open|cannot be reached|closed", said), said
    assert not lost[0].lines() and list(a.lines()) == [won[0].id]
    assert won[0].knows(a.id) == "ever"


def members_of_the_past_and_the_provisional_are_let_go(machine):
    """expires= in the past, as after a clock that was set forward."""
    a, b = machine("a").init(), machine("b").init()
    a_id, b_id = a.id, b.id
    for m, other in ((a, b_id), (b, a_id)):
        m.ok("auth", "add", other)
    a.ok("peer", "add", "/ip4/%s/tcp/%d/p2p/%s" % (b.address, lab.PORT, b_id))
    text = lab.text_of(a.keys).replace(b_id, b_id + "  expires=2026-01-01T00:00:00Z  pending=yes")
    with open(a.keys, "w", encoding="utf-8") as f:
        f.write(text)
    a.up()
    b.up()
    lab.wait_for("its removal", lambda: a.knows(b_id) == "", 10)
    # What b shows of itself, as a member would, comes too late.
    lab.wait_for("a connection", lambda: a.run("ping", b_id, "-c", "1").returncode == 0)
    assert a.knows(b_id) == ""
    # A new code brings it back.
    p, code = invite(a)
    assert join(b, code).returncode == 0 and p.wait(lab.PATIENCE) == 0
    assert a.knows(b_id) == "ever"
    a.down()
    b.down()


def a_disk_that_is_really_full(machine):
    """A small file system instead of the preloaded one's word."""
    a, b = machine("a").init(), machine("b")
    os.makedirs(b.folder)
    if lab.mount_small(b.folder) != 0:
        print("skipped: no permission to mount")
        return
    b.init()
    filler = os.path.join(b.folder, "filler")
    fd = os.open(filler, os.O_WRONLY | os.O_CREAT)
    with contextlib.suppress(OSError):
        while True:
            os.write(fd, b"x" * 4096)
    os.close(fd)
    before = b.snapshot()
    p, code = invite(a)
    done = join(b, code)
    assert done.returncode == 1 and "no space left" in done.stderr.lower(), done
    assert b.folder in done.stderr, done
    assert b.snapshot() == before
    os.unlink(filler)
    lab.end(p)
    p, code = invite(a)
    done = join(b, code)
    assert done.returncode == 0 and p.wait(lab.PATIENCE) == 0, done


def main():
    lab.enter()
    sweep = lab.Sweep()
    sweep.each([wrong_ones_make_it_void, four_wrong_ones_do_not, a_used_one_is_no_good,
                a_canceled_one_is_no_good, an_old_one_is_no_good, one_of_two_wins,
                members_of_the_past_and_the_provisional_are_let_go,
                a_disk_that_is_really_full])
    sweep.finish()


main()
