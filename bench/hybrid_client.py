"""A client that offers the post-quantum key exchange X25519MLKEM768 besides X25519, as browsers do: `python
hybrid_client.py PORT CONNECTIONS`, started by `load.py`.

The load client in C has the system's OpenSSL, which may be older than that group; this one has the OpenSSL that comes with
`cryptography`. One connection after the other: what is measured is the server, not how quick this is.
"""

from __future__ import annotations

import socket
import sys
import time

import msgspec
from OpenSSL import SSL

_TIMEOUT = 10.0  # seconds


def _greeted(context: SSL.Context, port: int) -> str:
    """Shake hands, read the greeting, close; the group that was agreed upon."""
    with socket.create_connection(("127.0.0.1", port), timeout=_TIMEOUT) as connection:
        connection.setblocking(True)
        tls = SSL.Connection(context, connection)
        tls.set_connect_state()
        tls.do_handshake()
        if not tls.recv(512).startswith(b"* OK"):
            raise SSL.Error("not the greeting")
        return str(tls.get_group_name())


def main(port: int, connections: int) -> None:
    """Prints what the load client would, and the group of the last connection."""
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_min_proto_version(SSL.TLS1_3_VERSION)
    done, first_error, group, began = 0, "", "", time.monotonic()
    for _ in range(connections):
        try:
            group = _greeted(context, port)
            done += 1
        except (SSL.Error, OSError) as error:
            first_error = first_error or repr(error)
    answer = {
        "done": done,
        "errors": connections - done,
        "seconds": time.monotonic() - began,
        "first_error": first_error,
    }
    sys.stdout.buffer.write(msgspec.json.encode({**answer, "group": group}))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
