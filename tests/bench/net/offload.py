"""offload.py DEVICE: turns segmentation and receive offloads off, as ethtool -K would."""

import ctypes
import fcntl
import socket
import struct
import sys

SIOCETHTOOL = 0x8946
ETHTOOL_STSO, ETHTOOL_SGSO, ETHTOOL_SGRO = 0x1F, 0x24, 0x2C

with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
    for command in (ETHTOOL_STSO, ETHTOOL_SGSO, ETHTOOL_SGRO):
        value = ctypes.create_string_buffer(struct.pack("II", command, 0))
        request = struct.pack("16sP", sys.argv[1].encode(), ctypes.addressof(value))
        fcntl.ioctl(s, SIOCETHTOOL, request)
