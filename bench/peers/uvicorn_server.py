"""Bare uvicorn as a peer: `python uvicorn_server.py PORT HTTP FILE`. Reads the body of each request and answers with the octets of
the file. HTTP is `h11` (what `pip install uvicorn` gives) or `httptools` (what `uvicorn[standard]` gives)."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import uvicorn

OCTETS = Path(sys.argv[3]).read_bytes()
HEADERS = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(OCTETS))]


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Whatever is asked for."""
    assert scope["type"] == "http"
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": OCTETS})


uvicorn.run(
    application,
    host="127.0.0.1",
    port=int(sys.argv[1]),
    http=sys.argv[2],
    loop="uvloop",
    lifespan="off",
    log_level="warning",
    access_log=False,
)
