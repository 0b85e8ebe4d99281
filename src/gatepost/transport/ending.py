"""Why a connection ended. Whoever ends one says why, on the transport (`note_ending`); the first word counts.

The values are the names in the access log, in the status of a listener and in the metrics.
"""

from __future__ import annotations

from enum import StrEnum


class Ending(StrEnum):
    """One for each connection that was admitted. Refused ones are counted by the cap that refused them instead."""

    COMPLETED = "completed"  # the protocol's own end: QUIT, LOGOUT, the last response
    CLIENT_CLOSED = "clientClosed"  # the client closed its side without such an end
    RESET = "reset"  # the connection broke: a reset, a time-out of TCP, a broken TLS record
    IDLE = "idle"  # the client said nothing whole for too long
    LOGIN_DEADLINE = "loginDeadline"  # it talked, and did not log in
    STALLED = "stalled"  # it did not take what was sent
    PROXY_REJECTED = "proxyRejected"  # the PROXY header was missing, late or malformed
    TLS_FAILED = "tlsFailed"  # the handshake failed or was late
    SHUT_DOWN = "shutDown"  # the server, the worker or the address is going away
    OPERATOR = "operator"  # somebody ended it by the API
    FAULT = "fault"  # of the server
    WORKER_DIED = (
        "workerDied"  # no line in the access log: the worker was killed, or crashed, and the supervisor counts them
    )
