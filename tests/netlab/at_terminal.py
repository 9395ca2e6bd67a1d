"""at_terminal.py QUESTION ANSWER PROGRAM [ARGUMENT...]: runs it like a person at a terminal of 60
columns, who answers the question when it comes; prints what was seen."""
import fcntl
import os
import pty
import select
import struct
import sys
import termios
import time

question, answer = (word.encode() for word in sys.argv[1:3])
pid, fd = pty.fork()
if pid == 0:
    os.execv(sys.argv[3], sys.argv[3:])
fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 60, 0, 0))
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
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
    if not typed and question in seen:
        os.write(fd, answer + b"\n")
        typed = True
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
