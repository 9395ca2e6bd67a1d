#!/usr/bin/env python3
"""Logs reach the journal with fields, and lines with a priority where there is none to reach.
journal.py PROGRAM; needs root for a /run of its own."""
import os
import socket
import subprocess
import sys
import tempfile

SKIP = 77
program = os.path.realpath(sys.argv[1])

if "PU_JOURNAL_LAB" not in os.environ:
    probe = subprocess.run(["unshare", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/run"],
                           stderr=subprocess.DEVNULL, check=False)
    if probe.returncode != 0:
        print("skipped: no mount namespaces here")
        sys.exit(SKIP)
    os.environ["PU_JOURNAL_LAB"] = "1"
    os.execvp("unshare", ["unshare", "--mount", sys.executable, *sys.argv])
subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run"], check=True)


def fields(datagram):
    """One event of the journal's native protocol."""
    out = {}
    while datagram:
        line, _, datagram = datagram.partition(b"\n")
        if b"=" in line:
            key, _, value = line.partition(b"=")
        else:
            key, size = line, int.from_bytes(datagram[:8], "little")
            value, datagram = datagram[8:8 + size], datagram[9 + size:]
        out[key.decode()] = value.decode()
    return out


with tempfile.TemporaryDirectory(prefix="pu_journal_") as home:
    env = {"HOME": home, "PATH": os.environ["PATH"]}
    subprocess.run([program, "init", "--non-interactive"], env=env, check=True,
                   stdout=subprocess.DEVNULL)

    def start(err, more):
        return subprocess.Popen([program, "daemon"], env=env | more, stdout=subprocess.DEVNULL,
                                stderr=err)

    os.makedirs("/run/systemd/journal")
    journal = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    journal.bind("/run/systemd/journal/socket")
    journal.settimeout(10)
    with open(os.path.join(home, "err"), "w+", encoding="utf-8") as err:
        st = os.fstat(err.fileno())
        stream = {"JOURNAL_STREAM": f"{st.st_dev}:{st.st_ino}"}
        daemon = start(err, stream)
        while True:
            event = fields(journal.recv(65536))
            if event["MESSAGE"].startswith("daemon: ready"):
                break
        daemon.terminate()
        assert daemon.wait(10) == 0
        assert event["PRIORITY"] == "6", event
        assert event["SYSLOG_IDENTIFIER"] == "peerup-vpn", event
        assert event["PEERUP_MODULE"] == "daemon", event
        assert event["PEERUP_PEER"].startswith("12D3KooW"), event
        assert event["PEERUP_PEER"] in event["MESSAGE"], event
        assert not any("CODE_FILE" in key for key in event), event
        err.seek(0)
        assert err.read() == "", "lines beside the events"

        # Another stream than that of the manager: somebody redirected us.
        daemon = start(err, {"JOURNAL_STREAM": "1:1"})
        for _ in range(1000):
            err.seek(0)
            if "ready" in err.read():
                break
            daemon.poll()
            subprocess.run(["sleep", "0.01"], check=True)
        daemon.terminate()
        daemon.wait(10)
        err.seek(0)
        assert " info daemon: ready peer=12D3" in err.read()

        # The journal is gone.
        journal.close()
        os.unlink("/run/systemd/journal/socket")
        err.truncate(0)
        daemon = start(err, stream)
        for _ in range(1000):
            err.seek(0)
            if "ready" in err.read():
                break
            subprocess.run(["sleep", "0.01"], check=True)
        daemon.terminate()
        daemon.wait(10)
        err.seek(0)
        assert "<6>daemon: ready peer=12D3" in err.read()
