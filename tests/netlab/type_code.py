"""type_code.py PROGRAM CODE: joins like a person at a terminal: waits for the question, types
the code, and reads what comes."""
import os
import pty
import select
import sys
import time

program, code = sys.argv[1:]
pid, fd = pty.fork()
if pid == 0:
    os.execv(program, [program, "join", "--name", "laptop"])
seen, typed, deadline = b"", False, time.monotonic() + 60
while time.monotonic() < deadline:
    if not select.select([fd], [], [], 1)[0]:
        continue
    try:
        data = os.read(fd, 4096)
    except OSError:
        break
    if not data:
        break
    seen += data
    if not typed and b"Code" in seen:
        os.write(fd, code.encode() + b"\n")
        typed = True
sys.stdout.write(seen.decode(errors="replace"))
status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
if not typed or b"Connected with home" not in seen:
    sys.exit("no conversation")
sys.exit(status)
