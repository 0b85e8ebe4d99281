"""`gatepost upgrade`: asks the supervisor over the socket in its data directory, and says what came of it.

Unlike the commands that speak JMAP it is for whoever may start and stop the server on this machine: no account can do it.
"""

from __future__ import annotations

import sys
from pathlib import Path

from gatepost.cli.failure import FAILED
from gatepost.supervisor import control_socket

_PATIENCE = 180.0  # seconds; the supervisor waits for a change that is under way, then for the new server


def upgrade(data_directory: Path) -> int:
    """The exit code: 0 when the new server serves, 1 when the one that ran goes on."""
    try:
        word, _, rest = _ask(data_directory.expanduser()).partition(" ")
    except OSError as error:
        return _failed(
            f"no server can be reached in {data_directory}: {error.strerror or error}; is it another --data?"
        )
    if word != control_socket.DONE:
        return _failed(f"{rest or 'the server has ended without an answer'}; nothing has changed")
    sys.stdout.write(f"process {rest} serves now; the one before ends with its last connection\n")
    return 0


def _ask(data_directory: Path) -> str:
    with control_socket.connect(data_directory) as sock:
        sock.settimeout(_PATIENCE)
        sock.sendall(control_socket.UPGRADE)
        answer = b""
        while more := sock.recv(4096):
            answer += more
    return answer.decode(errors="replace").strip()


def _failed(reason: str) -> int:
    sys.stderr.write(f"gatepost: the upgrade failed: {reason}\n")
    return FAILED
