"""Opens a QUIC connection: quic_ping.py HOST [VERSION]."""

import asyncio
import os
import sys

from aioquic.asyncio import connect
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.packet import QuicProtocolVersion

configuration = QuicConfiguration(alpn_protocols=["h3"], server_name=sys.argv[1])
configuration.load_verify_locations(os.environ["SSL_CERT_FILE"])
if len(sys.argv) > 2:
    configuration.original_version = QuicProtocolVersion[sys.argv[2]]
    configuration.supported_versions = [configuration.original_version]


async def ping():
    async with connect(sys.argv[1], 443, configuration=configuration) as protocol:
        await protocol.ping()


asyncio.run(ping())
