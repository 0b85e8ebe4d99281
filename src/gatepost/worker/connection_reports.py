"""Tells the supervisor of this worker's connections when it asks, a few at a time, so that clients do not wait for it."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

import msgspec

from gatepost.control.connection_report import ConnectionReport, ProxyFacts
from gatepost.control.messages import ConnectionsReported, ReportConnections
from gatepost.protocols.proxy_header.header import ProxyHeader
from gatepost.worker.connection import Connection, id_prefix
from gatepost.worker.listener import Listener

_AT_ONCE = 200  # connections: about two milliseconds, and a message of 60 KiB


class ConnectionReports:
    """`listeners` gives all that may have connections, `send` is the channel to the supervisor."""

    def __init__(self, listeners: Callable[[], Iterable[Listener]], send: Callable[[msgspec.Struct], None]) -> None:
        self._listeners = listeners
        self._send = send
        self._tasks: set[asyncio.Task[None]] = set()

    def answer(self, question: ReportConnections) -> None:
        """Begin to answer."""
        task = asyncio.get_running_loop().create_task(self._answer(question))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, question: ReportConnections) -> None:
        wanted = iter(self._wanted(question))
        while some := list(islice(wanted, _AT_ONCE)):
            reports = [self._report(connection) for connection in some if not connection.transport.is_closing()]
            self._send(_part(question, reports))
            if question.is_to_end:
                for connection in some:
                    connection.end_by_operator()
            await asyncio.sleep(0)
        self._send(_part(question, (), is_last=True))

    def _wanted(self, question: ReportConnections) -> list[Connection]:
        if question.ids is None:
            return list(self._admitted())
        serials = {int(each[len(id_prefix()) :]) for each in question.ids if _is_ours(each)}
        if not serials:
            return []
        return [connection for connection in self._admitted() if connection.serial in serials]

    def _admitted(self) -> Iterator[Connection]:
        for listener in self._listeners():
            for connection in listener.connections:
                if not connection.is_refused:
                    yield connection

    def _report(self, connection: Connection) -> ConnectionReport:
        transport, plan, session = connection.transport, connection.policy.plan, connection.session
        info, tls = transport.info, transport.tls
        return ConnectionReport(
            id=connection.id,
            listener_id=plan.id,
            listener_name=plan.name,
            protocol=plan.protocol.value,
            source=info.source_text,
            destination=info.destination_text or connection.address,
            peer=info.peer_text,
            since=time.time() - (time.monotonic() - connection.accepted_at),
            state=_stage(connection) if session is None else session.state_name,
            bytes_received=transport.bytes_received,
            bytes_sent=transport.bytes_sent,
            tls_version=None if tls is None else tls.version,
            cipher_suite=None if tls is None else tls.cipher_suite,
            key_exchange_group=None if tls is None else tls.key_exchange_group,
            server_name=None if tls is None else tls.server_name,
            proxy=None if info.proxy_header is None else _proxy_facts(info.proxy_header),
            account_id=None if session is None else session.account_id,
            login_name=None if session is None else session.login_name,
            worker=os.getpid(),
        )


def _part(
    question: ReportConnections, reports: Sequence[ConnectionReport], *, is_last: bool = False
) -> ConnectionsReported:
    return ConnectionsReported(number=question.number, reports=msgspec.msgpack.encode(reports), is_last=is_last)


def _is_ours(connection_id: str) -> bool:
    number = connection_id.removeprefix(id_prefix())
    return number != connection_id and number.isascii() and number.isdigit() and len(number) < 20


def _stage(connection: Connection) -> str:
    """What a connection waits for whose conversation has not begun."""
    is_header_due = connection.policy.awaits_proxy_header(connection.transport.info)
    return "waiting for the PROXY header" if is_header_due else "TLS handshake"


def _proxy_facts(header: ProxyHeader) -> ProxyFacts:
    extensions = header.extensions
    ssl = extensions.ssl
    return ProxyFacts(
        version=header.version,
        command=header.command.name,
        authority=extensions.authority,
        unique_id=None if extensions.unique_id is None else extensions.unique_id.hex(),
        alpn=None if extensions.alpn is None else extensions.alpn.decode("ascii", "backslashreplace"),
        tls_version=None if ssl is None else ssl.version,
        tls_cipher=None if ssl is None else ssl.cipher,
        certificate_name=None if ssl is None else ssl.common_name,
    )
