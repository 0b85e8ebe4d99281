"""Which cell counts what, and its name in the status and in the metrics: the one table for everything with a reason."""

from __future__ import annotations

from collections.abc import Mapping

from gatepost.protocols.proxy_header.header import ProxyFailure
from gatepost.transport.counter_page import Cell
from gatepost.transport.ending import Ending
from gatepost.transport.tls_failure import TlsFailure

REFUSALS: Mapping[Cell, str] = {
    Cell.REFUSED_LISTENER_CAP: "maxConnections",
    Cell.REFUSED_SERVER_CAP: "serverMaxConnections",
    Cell.REFUSED_ADDRESS_CAP: "maxConnectionsPerAddress",
    Cell.REFUSED_BLOCKED_NETWORK: "blockedNetwork",
}

CELL_OF_PROXY_FAILURE: Mapping[ProxyFailure, Cell] = {
    ProxyFailure.MISSING: Cell.PROXY_MISSING,
    ProxyFailure.MALFORMED: Cell.PROXY_MALFORMED,
    ProxyFailure.TOO_LARGE: Cell.PROXY_TOO_LARGE,
    ProxyFailure.BAD_CHECKSUM: Cell.PROXY_BAD_CHECKSUM,
    ProxyFailure.TIMEOUT: Cell.PROXY_TIMEOUT,
    ProxyFailure.CLOSED: Cell.PROXY_CLOSED,
}

CELL_OF_ENDING: Mapping[Ending, Cell] = {
    Ending.COMPLETED: Cell.ENDED_COMPLETED,
    Ending.CLIENT_CLOSED: Cell.ENDED_CLIENT_CLOSED,
    Ending.RESET: Cell.ENDED_RESET,
    Ending.IDLE: Cell.ENDED_IDLE,
    Ending.LOGIN_DEADLINE: Cell.ENDED_LOGIN_DEADLINE,
    Ending.STALLED: Cell.ENDED_STALLED,
    Ending.PROXY_REJECTED: Cell.ENDED_PROXY_REJECTED,
    Ending.TLS_FAILED: Cell.ENDED_TLS_FAILED,
    Ending.SHUT_DOWN: Cell.ENDED_SHUT_DOWN,
    Ending.OPERATOR: Cell.ENDED_OPERATOR,
    Ending.FAULT: Cell.ENDED_FAULT,
    Ending.WORKER_DIED: Cell.ENDED_WORKER_DIED,
}

CELL_OF_TLS_FAILURE: Mapping[TlsFailure, Cell] = {
    TlsFailure.TIMEOUT: Cell.TLS_FAILED_TIMEOUT,
    TlsFailure.CLOSED: Cell.TLS_FAILED_CLOSED,
    TlsFailure.NOT_TLS: Cell.TLS_FAILED_NOT_TLS,
    TlsFailure.NO_COMMON_VERSION: Cell.TLS_FAILED_NO_COMMON_VERSION,
    TlsFailure.NO_COMMON_SUITE: Cell.TLS_FAILED_NO_COMMON_SUITE,
    TlsFailure.NO_COMMON_GROUP: Cell.TLS_FAILED_NO_COMMON_GROUP,
    TlsFailure.NO_COMMON_SIGNATURE: Cell.TLS_FAILED_NO_COMMON_SIGNATURE,
    TlsFailure.NO_COMMON_PROTOCOL: Cell.TLS_FAILED_NO_COMMON_PROTOCOL,
    TlsFailure.CLIENT_ALERT: Cell.TLS_FAILED_CLIENT_ALERT,
    TlsFailure.MALFORMED: Cell.TLS_FAILED_MALFORMED,
    TlsFailure.UNUSABLE: Cell.TLS_FAILED_UNUSABLE,
    TlsFailure.OTHER: Cell.TLS_FAILED_OTHER,
}

CELL_OF_TLS_VERSION: Mapping[str, Cell] = {"TLSv1.2": Cell.TLS_1_2, "TLSv1.3": Cell.TLS_1_3}  # OpenSSL's names

# Upper bounds in seconds of the histogram of handshakes; beyond the last one a handshake is in TLS_HANDSHAKES only.
HANDSHAKE_BUCKETS: tuple[tuple[float, Cell], ...] = (
    (0.001, Cell.TLS_WITHIN_1_MS),
    (0.003, Cell.TLS_WITHIN_3_MS),
    (0.01, Cell.TLS_WITHIN_10_MS),
    (0.03, Cell.TLS_WITHIN_30_MS),
    (0.1, Cell.TLS_WITHIN_100_MS),
    (0.3, Cell.TLS_WITHIN_300_MS),
    (1.0, Cell.TLS_WITHIN_1_S),
    (3.0, Cell.TLS_WITHIN_3_S),
    (10.0, Cell.TLS_WITHIN_10_S),
)
