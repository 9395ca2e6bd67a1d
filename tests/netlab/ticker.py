"""A TCP connection that shows every stall: one side counts aloud, the other listens.

    ticker.py count ADDRESS PORT           serves any number of connections
    ticker.py listen HOST PORT SECONDS     prints the longest silence in seconds; fails
                                           when the connection breaks or a count is missing
"""
import socket
import sys
import threading
import time

EVERY = 0.05


def count(conn):
    n = 0
    try:
        while True:
            conn.sendall(b"%d\n" % n)
            n += 1
            time.sleep(EVERY)
    except OSError:
        pass


def serve(address, port):
    listener = socket.create_server((address, port))
    while True:
        conn, _ = listener.accept()
        threading.Thread(target=count, args=(conn,), daemon=True).start()


def listen(host, port, seconds):
    conn = socket.create_connection((host, port), 10)
    conn.settimeout(60)
    lines = conn.makefile("rb")
    until = time.monotonic() + seconds
    last, longest, want = time.monotonic(), 0.0, 0
    while time.monotonic() < until:
        line = lines.readline()
        now = time.monotonic()
        if int(line or -1) != want:
            sys.exit("%r instead of %d" % (line, want))
        longest, last, want = max(longest, now - last), now, want + 1
    print("%.2f" % longest)


if sys.argv[1] == "count":
    serve(sys.argv[2], int(sys.argv[3]))
else:
    listen(sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))
