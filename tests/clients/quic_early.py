"""Opens a QUIC connection, and another one by its ticket, on which it speaks before it is answered: quic_early.py HOST."""

import asyncio
import os
import sys

from aioquic.asyncio import connect
from aioquic.quic.configuration import QuicConfiguration

configuration = QuicConfiguration(alpn_protocols=["h3"], server_name=sys.argv[1])
configuration.load_verify_locations(os.environ["SSL_CERT_FILE"])
tickets = asyncio.Queue()


async def both():
    async with connect(sys.argv[1], 443, configuration=configuration, session_ticket_handler=tickets.put_nowait):
        configuration.session_ticket = await tickets.get()
    async with connect(sys.argv[1], 443, configuration=configuration, wait_connected=False) as protocol:
        # In the packet behind the hello, if it is early.
        _, writer = await protocol.create_stream()
        writer.write(b"decoy")
        await protocol.wait_connected()
        assert protocol._quic.tls.early_data_accepted
        await protocol.ping()


asyncio.run(both())
