"""Opens a QUIC connection: quic_ping.py HOST [VERSIONS [PROTOCOLS]], which are offered, in order and with commas."""

import asyncio
import os
import sys

from aioquic.asyncio import connect
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.packet import QuicProtocolVersion

host, versions, protocols = sys.argv[1:] + ["VERSION_1", "h3"][len(sys.argv) - 2 :]
versions = [QuicProtocolVersion[version] for version in versions.split(",")]
configuration = QuicConfiguration(
    alpn_protocols=protocols.split(","),
    original_version=versions[0],
    server_name=host,
    supported_versions=versions,
)
configuration.load_verify_locations(os.environ["SSL_CERT_FILE"])


async def ping():
    async with connect(host, 443, configuration=configuration) as protocol:
        await protocol.ping()


asyncio.run(ping())
