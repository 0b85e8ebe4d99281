"""asyncio's streams as a peer: `python asyncio_server.py PORT TLS_PORT CERTIFICATE PRIVATE_KEY`. Greets and waits, as any
server on them would."""

from __future__ import annotations

import asyncio
import ssl
import sys


async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One connection, until its client ends it."""
    try:
        writer.write(b"* OK ready\r\n")
        await writer.drain()
        await reader.read()
        writer.close()
        await writer.wait_closed()
    except (ConnectionError, ssl.SSLError):
        writer.transport.abort()


async def serve(port: int, tls_port: int, certificate: str, private_key: str) -> None:
    """Until killed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.num_tickets = 0
    context.load_cert_chain(certificate, private_key)
    async with (
        await asyncio.start_server(greet, "127.0.0.1", port, backlog=4096) as in_clear,
        await asyncio.start_server(greet, "127.0.0.1", tls_port, ssl=context, backlog=4096) as under_tls,
    ):
        print("ready", flush=True)
        await asyncio.gather(in_clear.serve_forever(), under_tls.serve_forever())


asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]))
