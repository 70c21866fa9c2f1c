"""Prints the datagrams that a QUIC client begins with, in hexadecimal, and sends none: quic_hello.py NAME VERSION PROTOCOLS, with commas."""

import sys

from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.packet import QuicProtocolVersion

name, version, protocols = sys.argv[1:]
version = QuicProtocolVersion[version]
configuration = QuicConfiguration(
    alpn_protocols=protocols.split(","), original_version=version, server_name=name, supported_versions=[version]
)
connection = QuicConnection(configuration=configuration)
connection.connect(("127.0.0.1", 443), 0.0)
for datagram, _ in connection.datagrams_to_send(0.0):
    print(datagram.hex())
