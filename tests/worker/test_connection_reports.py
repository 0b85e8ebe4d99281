"""The list of connections: asked of the worker by messages, answered in parts, and ending those that are asked for."""

from __future__ import annotations

import asyncio
import os
import time

import msgspec
import pytest
from tests.supervisor.plans import TLS, listener
from tests.tls_client import trusting_context
from tests.transport.loopback import until
from tests.worker.worker_world import CERTIFICATES, WorkerWorld, rest_of

from gatepost.control.connection_report import ConnectionReport
from gatepost.control.messages import ConnectionsPart, ConnectionsQuestion, ConnectionsReported, ReportConnections
from gatepost.management.applying import ApplyError
from gatepost.session.conversation import Conversation
from gatepost.transport.counter_page import Cell
from gatepost.values.ids import Id
from gatepost.worker import connection as worker_connection
from gatepost.worker import connection_questions, connection_reports
from gatepost.worker.connection_questions import ConnectionQuestions

V2_WITH_FACTS = (
    b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x1c"
    + bytes([192, 0, 2, 7, 192, 0, 2, 1])
    + (4001).to_bytes(2, "big")
    + (25).to_bytes(2, "big")
    + b"\x02\x00\x06mx.org"
    + b"\x05\x00\x04\x01\x02\x03\xff"
)


async def reports(
    world: WorkerWorld, ids: tuple[str, ...] | None = None, *, is_to_end: bool = False
) -> list[list[ConnectionReport]]:
    """The parts of the answer; the last one is empty."""
    world.channel.send(ReportConnections(number=7, ids=ids, is_to_end=is_to_end))
    parts: list[list[ConnectionReport]] = []
    while True:
        message: ConnectionsReported = await world.answer(ConnectionsReported)
        assert message.number == 7
        parts.append(msgspec.msgpack.decode(message.reports, type=list[ConnectionReport]))
        if message.is_last:
            return parts


async def test_a_connection_is_told_with_all_that_is_known_of_it(world: WorkerWorld) -> None:
    address = world.listen()
    await world.apply(listener("a", address, tls=TLS, is_tls_implicit=True), certificates=CERTIFICATES)
    client = await asyncio.to_thread(
        lambda: trusting_context().wrap_socket(world.connect(address), server_hostname="mail.example.org")
    )
    assert await asyncio.to_thread(client.recv, 100) == b"hello\n"
    await asyncio.to_thread(client.sendall, b"now\n")
    assert await asyncio.to_thread(client.recv, 100) == b"done now\n"
    conversation = world.sessions.connections[0].session
    assert isinstance(conversation, Conversation)
    conversation.authenticated(Id("acc"), "alice@example.org")
    ((report,), nothing) = await reports(world)
    assert nothing == []
    host, port = client.getsockname()
    assert (report.source, report.peer, report.destination) == (f"{host}:{port}", f"{host}:{port}", address)
    assert (report.listener_id, report.listener_name, report.protocol, report.worker) == ("a", "a", "smtp", os.getpid())
    assert (report.tls_version, report.cipher_suite) == ("TLSv1.3", "TLS_AES_128_GCM_SHA256")
    assert report.key_exchange_group
    assert report.server_name == "mail.example.org"
    assert (report.account_id, report.login_name, report.state) == ("acc", "alice@example.org", "listening")
    assert (report.bytes_received, report.bytes_sent) == (len(b"now\n"), len(b"hello\ndone now\n"))
    assert abs(report.since - time.time()) < 60
    client.close()


async def test_what_a_proxy_said_is_told(world: WorkerWorld) -> None:
    address = world.listen()
    await world.apply(listener("a", address, proxy_networks=("127.0.0.0/8",)))
    client = world.connect(address)
    client.sendall(V2_WITH_FACTS)
    assert await asyncio.to_thread(client.recv, 100) == b"hello\n"
    ((report,), _) = await reports(world)
    host, port = client.getsockname()
    assert (report.source, report.destination, report.peer) == ("192.0.2.7:4001", "192.0.2.1:25", f"{host}:{port}")
    assert report.proxy is not None
    assert (report.proxy.version, report.proxy.command) == (2, "PROXY")
    assert (report.proxy.authority, report.proxy.unique_id) == ("mx.org", "010203ff")


async def test_connections_whose_conversation_has_not_begun_say_what_they_wait_for(world: WorkerWorld) -> None:
    header, handshake = world.listen(), world.listen()
    await world.apply(
        listener("a", header, proxy_networks=("127.0.0.0/8",)),
        listener("b", handshake, tls=TLS, is_tls_implicit=True),
        certificates=CERTIFICATES,
    )
    world.connect(header)
    world.connect(handshake)
    await until(lambda: world.server_count() == 2)
    (found, _) = await reports(world)
    assert {report.listener_name: report.state for report in found} == {
        "a": "waiting for the PROXY header",
        "b": "TLS handshake",
    }


async def test_many_connections_come_in_parts_and_each_once(
    world: WorkerWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_reports, "_AT_ONCE", 3)
    address = world.listen()
    await world.apply(listener("a", address))
    for _ in range(8):
        await world.greeted(address)
    parts = await reports(world)
    assert [len(part) for part in parts] == [3, 3, 2, 0]
    assert {each.id for part in parts for each in part} == {each.id for each in world.sessions.connections}


async def test_those_that_were_asked_for_take_their_leave_and_others_stay(world: WorkerWorld) -> None:
    address = world.listen()
    await world.apply(listener("a", address))
    first, second = await world.greeted(address), await world.greeted(address)
    wanted = world.sessions.connections[0].id
    strangers = ("w1-1", "w1", "", wanted + "x", "w" + "9" * 400)
    ((report,), _) = await reports(world, (*strangers, wanted), is_to_end=True)
    assert report.id == wanted
    assert await rest_of(first) == b"shutting down\n"
    await until(lambda: world.count("a", Cell.ENDED_OPERATOR) == 1)
    (line,) = world.log.connections
    assert (line.id, line.ending) == (wanted, "operator")
    second.sendall(b"now\n")
    assert await asyncio.to_thread(second.recv, 100) == b"done now\n"


async def test_a_client_that_does_not_go_is_cut_off(world: WorkerWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_connection, "_CUT_OFF_AFTER", 0.05)
    address = world.listen()
    await world.apply(listener("a", address))
    client = await world.greeted(address)
    client.sendall(b"wait\n")
    await until(lambda: world.sessions.reactions and world.sessions.reactions[0].seen)
    await reports(world, (world.sessions.connections[0].id,), is_to_end=True)
    assert await rest_of(client) == b""
    await until(lambda: world.count("a", Cell.ENDED_OPERATOR) == 1)


# --- asking ---------------------------------------------------------------------------------------------------------


async def test_a_question_is_answered_part_by_part() -> None:
    sent: list[msgspec.Struct] = []
    questions = ConnectionQuestions(sent.append)
    parts = questions.reports(["w1-1"], is_to_end=True)
    first = asyncio.ensure_future(anext(parts))
    await until(lambda: sent)
    assert sent == [ConnectionsQuestion(number=1, ids=("w1-1",), is_to_end=True)]
    questions.answered(ConnectionsPart(number=99, reports=b"not for us"))
    questions.answered(ConnectionsPart(number=1, reports=msgspec.msgpack.encode([])))
    assert await first == []
    questions.answered(ConnectionsPart(number=1, is_last=True))
    with pytest.raises(StopAsyncIteration):
        await anext(parts)
    questions.answered(ConnectionsPart(number=1, reports=b"too late"))


async def test_a_worker_that_does_not_answer_is_an_error_and_not_an_empty_list(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connection_questions, "_DEADLINE", 0.05)
    questions = ConnectionQuestions(lambda _message: None)
    with pytest.raises(ApplyError, match="no answer"):
        _ = [part async for part in questions.reports()]
    asking = asyncio.ensure_future(anext(questions.reports()))
    await asyncio.sleep(0)
    questions.answered(ConnectionsPart(number=2, is_last=True, is_complete=False))
    with pytest.raises(ApplyError, match="which connections"):
        await asking
