"""Sends datagrams that are read in hexadecimal: quic_send.py NAME apart|at_once, by a call each, or all by one that has the kernel cut them (UDP_SEGMENT)."""

import socket
import struct
import sys

UDP_SEGMENT = 103

name, how = sys.argv[1:]
datagrams = [bytes.fromhex(line) for line in sys.stdin]
assert len(datagrams) > 1
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as to:
    to.connect((name, 443))
    if how == "apart":
        for datagram in datagrams:
            to.send(datagram)
    else:
        length = struct.pack("H", len(datagrams[0]))
        to.sendmsg([b"".join(datagrams)], [(socket.IPPROTO_UDP, UDP_SEGMENT, length)])
