"""Single UDP packets, by hand.

packets.py send DEVICE SOURCE DESTINATION PORT   writes one packet to a peer's side of the
    tunnel: it is sent through DEVICE with any source address, as a forger would
packets.py watch DEVICE SECONDS                  prints "source > destination port" of each
    UDP packet that arrives through DEVICE
"""

import ipaddress
import socket
import struct
import sys
import time

ETH_P_ALL = 3
ETH_P = {4: 0x0800, 6: 0x86dd}
UDP = 17


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def udp_packet(source, destination, port):
    source, destination = ipaddress.ip_address(source), ipaddress.ip_address(destination)
    payload = b"peerup netlab"
    length = 8 + len(payload)
    head = struct.pack("!HHHH", 33333, port, length, 0)
    if source.version == 4:
        pseudo = source.packed + destination.packed + struct.pack("!BBH", 0, UDP, length)
        ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + length, 1, 0, 64, UDP, 0)
        ip += source.packed + destination.packed
        ip = ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:]
    else:
        pseudo = source.packed + destination.packed + struct.pack("!IHBB", length, 0, 0, UDP)
        ip = struct.pack("!IHBB", 6 << 28, length, UDP, 64) + source.packed + destination.packed
    head = head[:6] + struct.pack("!H", checksum(pseudo + head + payload) or 0xffff)
    return ip + head + payload, source.version


def send(device, source, destination, port):
    packet, version = udp_packet(source, destination, int(port))
    s = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P[version]))
    s.sendto(packet, (device, ETH_P[version]))


def describe(packet):
    version = packet[0] >> 4
    if version == 4 and packet[9] == UDP:
        offset, addresses = (packet[0] & 15) * 4, (packet[12:16], packet[16:20])
    elif version == 6 and packet[6] == UDP:
        offset, addresses = 40, (packet[8:24], packet[24:40])
    else:
        return None
    source, destination = map(ipaddress.ip_address, addresses)
    port = struct.unpack("!H", packet[offset + 2:offset + 4])[0]
    return f"{source} > {destination} {port}"


def watch(device, seconds):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
    s.bind((device, ETH_P_ALL))
    until = time.monotonic() + float(seconds)
    while (left := until - time.monotonic()) > 0:
        s.settimeout(left)
        try:
            packet, address = s.recvfrom(65536)
        except TimeoutError:
            return
        line = describe(packet) if address[2] != socket.PACKET_OUTGOING else None
        if line:
            print(line, flush=True)


{"send": send, "watch": watch}[sys.argv[1]](*sys.argv[2:])
