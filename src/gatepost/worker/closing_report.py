"""What is counted and written down of a connection when it has ended, and of a TLS handshake when it is complete.

Called by the listener and the connection; on the way of every connection, so it does nothing that can wait."""

from __future__ import annotations

import time
from bisect import bisect_left
from typing import TYPE_CHECKING

from gatepost.telemetry.access_log import ClosedConnection
from gatepost.transport.counter_page import ConnectionCounter
from gatepost.transport.ending import Ending
from gatepost.transport.reasons import CELL_OF_TLS_VERSION, HANDSHAKE_BUCKETS

if TYPE_CHECKING:
    from gatepost.transport.tls_channel import TlsChannel
    from gatepost.worker.connection import Connection

_BOUNDS = tuple(bound for bound, _cell in HANDSHAKE_BUCKETS)
_BUCKETS = (*(cell for _bound, cell in HANDSHAKE_BUCKETS), None)


def count_handshake(counter: ConnectionCounter, channel: TlsChannel, seconds: float) -> None:
    """A handshake is complete; `seconds` since the server was ready for it, the client's own time included."""
    within = _BUCKETS[bisect_left(_BOUNDS, seconds)]
    counter.count_handshake(int(seconds * 1_000_000), within, CELL_OF_TLS_VERSION.get(channel.version))


def closed_connection(connection: Connection) -> ClosedConnection:
    """The line of the access log."""
    transport, plan = connection.transport, connection.policy.plan
    info, tls = transport.info, transport.tls
    session = connection.session
    return ClosedConnection(
        id=connection.id,
        listener=plan.name,
        protocol=plan.protocol,
        source=info.source_text,
        destination=info.destination_text or connection.address,
        peer=None if info.proxy_header is None else info.peer_text,
        seconds=time.monotonic() - connection.accepted_at,
        received=transport.bytes_received,
        sent=transport.bytes_sent,
        tls_version=None if tls is None else tls.version,
        cipher_suite=None if tls is None else tls.cipher_suite,
        server_name=None if tls is None else tls.server_name,
        account=None if session is None else session.login_name,
        ending=transport.ending or Ending.COMPLETED,
    )
