"""A server that is to take over and does what the test says: `python scripted_successor.py SCRIPT LOG`."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from pathlib import Path

from gatepost.control.handover import (
    VERSION,
    Handover,
    HandoverWanted,
    NextServerAccepts,
    NextServerReady,
    TakeOver,
)
from gatepost.sockets import minimum_ttl
from gatepost.supervisor.legacy import Legacy
from gatepost.supervisor.predecessor import Predecessor, predecessor_in


async def _legacy(predecessor: Predecessor) -> Legacy:
    predecessor.send(HandoverWanted(versions=(VERSION,)))
    return Legacy.unpack(*await predecessor.receive(Handover))


def _leave_a_child(log: str) -> None:
    Path(log).write_text(str(subprocess.Popen(["sleep", "600"]).pid))


async def main(script: str, log: str) -> None:
    """Scripts: `mute`; `other-version`; `refuses`; `out-of-turn`; `garbage`; `dies-with-the-sockets` (after it has kept
    everybody out of them); `leaves-a-child`; `takes-over` (and stays until the channel closes)."""
    sock = predecessor_in(os.environ)  # type: ignore[arg-type]  # os.environ is as good as a dict here
    assert sock is not None
    if script == "garbage":
        sock.sendall(b"\xff" * 100)
        sock = socket.socketpair()[0]
    predecessor = Predecessor(sock)
    match script:
        case "other-version":
            predecessor.send(HandoverWanted(versions=(VERSION + 1, VERSION + 2)))
        case "out-of-turn":
            predecessor.send(NextServerAccepts())
        case "leaves-a-child":
            _leave_a_child(log)
        case "refuses":
            await _legacy(predecessor)
            predecessor.refuse("there is no room for me")
        case "dies-with-the-sockets":
            legacy = await _legacy(predecessor)
            predecessor.send(NextServerReady(rows=()))
            await predecessor.receive(TakeOver)
            for _, socks in legacy.addresses:
                for each in socks:
                    minimum_ttl.drop_new_connections(each)
            sys.exit(5)
        case "takes-over":
            await _legacy(predecessor)
            await predecessor.take_over([])
            await predecessor.accepts(())
    await asyncio.sleep(600)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
