"""aiosmtpd as a peer: `python aiosmtpd_server.py PORT`. Its server class on asyncio, as its documentation shows it."""

from __future__ import annotations

import asyncio
import sys

from aiosmtpd.smtp import SMTP


async def serve(port: int) -> None:
    """Until killed."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(object(), hostname="mail.example.org", loop=loop), "127.0.0.1", port, backlog=4096
    )
    print("ready", flush=True)
    await server.serve_forever()


asyncio.run(serve(int(sys.argv[1])))
