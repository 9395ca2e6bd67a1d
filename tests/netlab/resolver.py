"""A tiny DNS server: resolver.py ADDRESS PORT. A of *.test is 192.0.2.7, everything
else does not exist. Stands for the resolver that a machine has anyway."""

import socket
import struct
import sys


def answer(query):
    end = 12
    labels = []
    while query[end]:
        labels.append(query[end + 1:end + 1 + query[end]].lower())
        end += 1 + query[end]
    question = query[12:end + 5]
    kind = struct.unpack("!H", query[end + 1:end + 3])[0]
    known = labels[-1:] == [b"test"]
    count = 1 if known and kind == 1 else 0
    head = query[:2] + struct.pack("!HHHHH", 0x8580 | (0 if known else 3), 1, count, 0, 0)
    record = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x05\x00\x04\xc0\x00\x02\x07"
    return head + question + record * count


family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
server = socket.socket(family, socket.SOCK_DGRAM)
server.bind((sys.argv[1], int(sys.argv[2])))
while True:
    message, peer = server.recvfrom(4096)
    try:
        server.sendto(answer(message), peer)
    except (IndexError, struct.error):
        pass
