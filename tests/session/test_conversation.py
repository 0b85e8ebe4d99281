"""How a conversation drives any engine: a small engine of the test's own, over a real transport on loopback."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator

import pytest
from structlog.testing import capture_logs
from tests.session.line_conversation import World, finish
from tests.transport.loopback import some_turns, until

from gatepost.protocols.engine import Refusal, StartTls
from gatepost.session import conversation as conversation_module
from gatepost.session.link import Ended
from gatepost.values.ids import Id


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World()
    yield made.begin()
    await finish(made)


async def test_the_client_is_greeted(world: World) -> None:
    assert await world.receive() == b"hello\n"


async def test_commands_are_answered_in_order_however_they_are_cut(world: World) -> None:
    for octet in b"now 1\nslow 2\nnow 3\nslow 4\nquit\n":
        await world.send(bytes([octet]))
    assert await world.receive_all() == b"hello\ndone now 1\ndone slow 2\ndone now 3\ndone slow 4\nbye\n"


async def test_commands_that_come_while_one_is_answered_wait_for_their_turn(world: World) -> None:
    await world.send(b"wait 1\n")
    await until(lambda: world.made and world.reactions.seen)
    await world.send(b"now 2\nslow 3\n")
    await some_turns()
    assert await world.receive() == b"hello\n"
    assert world.reactions.seen == [b"wait 1"]
    world.reactions.may_go_on.set()
    assert await world.receive_until(b"slow 3\n") == b"done wait 1\ndone now 2\ndone slow 3\n"


async def test_reading_pauses_while_the_engine_has_enough_and_goes_on_afterwards(world: World) -> None:
    await world.send(b"wait\n")
    await until(lambda: world.made and world.reactions.seen)
    lines = b"".join(b"now %d\n" % number for number in range(200_000))
    sending = asyncio.create_task(world.send(lines))
    await until(lambda: not world.transport.is_reading())
    assert len(world.engine.buffer) < 200_000
    world.reactions.may_go_on.set()
    await world.receive_until(b"done now 199999\n")
    await sending


async def test_a_client_that_says_no_more_still_gets_the_answer_under_way(world: World) -> None:
    await world.send(b"wait\nnow\n")
    await until(lambda: world.made and world.reactions.seen)
    world.client.shutdown(socket.SHUT_WR)
    await until(lambda: world.engine.is_at_end)
    world.reactions.may_go_on.set()
    assert await world.receive_all() == b"hello\ndone wait\ndone now\n"


async def test_a_client_that_says_no_more_and_waits_for_nothing_is_let_go(world: World) -> None:
    world.client.shutdown(socket.SHUT_WR)
    assert await world.receive_all() == b"hello\n"


async def test_an_answer_waits_for_a_client_that_does_not_keep_up() -> None:
    world = World(receive_buffer=4096, send_buffer=4096).begin()
    await world.send(b"big\n")
    await until(lambda: world.transport.get_write_buffer_size() > 65536)
    await some_turns(100)
    assert world.transport.get_write_buffer_size() < 200_000
    received = await world.receive_until(b"done big\n")
    assert len(received) == len(b"hello\ndone big\n") + 64 * 16384
    await finish(world)


async def test_an_answer_ends_when_the_client_that_did_not_keep_up_is_gone() -> None:
    world = World(receive_buffer=4096, send_buffer=4096).begin()
    await world.send(b"big\n")
    await until(lambda: world.transport.get_write_buffer_size() > 65536)
    world.transport.abort()
    await until(lambda: world.reactions.saw_ended)
    await until(lambda: world.reactions.ended_count == 1)
    with pytest.raises(Ended):
        await world.conversation.drained()
    await finish(world)


async def test_nobody_has_to_wait_for_a_client_that_did_not_keep_up_when_it_is_gone() -> None:
    world = World(receive_buffer=4096, send_buffer=4096).begin()
    for _ in range(20):
        world.engine.queued += b"x" * 65536
        world.conversation.send_queued()
    assert world.transport.get_write_buffer_size() > 65536
    await finish(world)


async def test_an_error_while_answering_is_told_in_the_words_of_the_protocol(world: World) -> None:
    with capture_logs() as logs:
        await world.send(b"fail\nnow\n")
        assert await world.receive_all() == b"hello\ninternal error\n"
    assert [entry["event"] for entry in logs] == ["conversation.failed"]
    await until(lambda: world.reactions.ended_count == 1)


@pytest.mark.parametrize("line", [b"now fail\n", b"broken\n", b"poison\n"])
async def test_an_error_outside_of_a_task_is_told_too(world: World, line: bytes) -> None:
    with capture_logs() as logs:
        await world.send(line)
        assert await world.receive_all() == b"hello\ninternal error\n"
    assert [entry["event"] for entry in logs] == ["conversation.failed"]


async def test_an_engine_that_cannot_even_take_leave_is_cut_off(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_refusal: Refusal) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(world.engine, "refuse", fail)
    with capture_logs():
        await world.send(b"broken\n")
        await until(lambda: world.closed)


async def test_an_error_while_giving_back_is_logged(world: World) -> None:
    await world.send(b"slow\n")
    await world.receive_until(b"done slow\n")
    world.reactions.fails_at_the_end = True
    with capture_logs() as logs:
        world.transport.abort()
        await until(lambda: world.reactions.ended_count == 1)
        await some_turns()
    assert [entry["event"] for entry in logs] == ["conversation.failed"]


async def test_what_reactions_hold_is_given_back_once(world: World) -> None:
    await world.send(b"slow\nquit\n")
    await world.receive_all()
    await until(lambda: world.reactions.ended_count)
    await some_turns()
    assert world.reactions.ended_count == 1


async def test_a_reaction_under_way_is_not_cut_off_when_the_client_is_gone(world: World) -> None:
    await world.send(b"wait\n")
    await until(lambda: world.made and world.reactions.seen)
    reactions = world.reactions
    world.transport.abort()
    await some_turns()
    assert reactions.ended_count == 0
    reactions.may_go_on.set()
    await until(lambda: reactions.ended_count == 1)


async def test_news_from_outside_reach_the_client(world: World) -> None:
    world.engine.news.append(b"now new")
    world.conversation.wake()
    await world.receive_until(b"done now new\n")


async def test_news_that_come_when_the_conversation_is_over_are_dropped(world: World) -> None:
    await world.send(b"quit\n")
    await world.receive_all()
    world.engine.waiting = None
    world.engine.news.append(b"slow")
    world.conversation.wake()
    await some_turns()
    assert not world.made


async def test_the_client_is_remembered_when_it_has_logged_in(world: World) -> None:
    with capture_logs() as logs:
        world.conversation.authenticated(Id("a1"), "alice")
    assert (world.conversation.account_id, world.conversation.login_name) == ("a1", "alice")
    assert logs[0]["event"] == "login"
    assert world.conversation.peer.is_loopback
    assert not world.conversation.is_tls
    assert world.conversation.tls_description is None


# --- deadlines ----------------------------------------------------------------------------------------------------------


async def test_a_silent_client_is_told_and_let_go() -> None:
    world = World()
    world.engine.idle_timeout = 0.05
    world.begin()
    assert await world.receive_all() == b"hello\nidle timeout\n"
    await finish(world)


async def drip(world: World) -> None:
    """An octet now and then, until the conversation is ended."""
    while not world.engine.refused:
        await world.send(b"x")
        await asyncio.sleep(0.01)


async def test_a_client_that_drips_octets_and_never_logs_in_is_let_go_at_the_deadline_for_that() -> None:
    world = World(login_deadline=0.2)
    world.begin()
    await asyncio.wait_for(drip(world), 20)
    assert world.engine.refused == [Refusal.IDLE_TIMEOUT]
    await finish(world)


async def test_a_client_that_drips_a_command_without_end_is_idle() -> None:
    """RFC 5321 section 4.5.3.2: each block of a message has its time; one octet now and then is no block."""
    world = World()
    world.engine.idle_timeout = 0.2
    world.begin()
    await asyncio.wait_for(drip(world), 20)
    assert world.engine.refused == [Refusal.IDLE_TIMEOUT]
    await finish(world)


@pytest.mark.parametrize("block", [b"now\n", b"slow\n", b"xxxx"])
async def test_a_client_that_completes_commands_or_sends_at_some_pace_is_not_idle(
    block: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversation_module, "_PACE", 4)
    world = World()
    world.engine.most_buffered = 1000
    world.engine.idle_timeout = 1.0
    world.begin()
    loop = asyncio.get_running_loop()
    begin = loop.time()
    while loop.time() < begin + 2.5:
        await world.send(block)
        await asyncio.sleep(0.05)
    assert world.engine.refused == []
    await finish(world)


async def test_a_client_that_says_nothing_costs_no_engine(world: World) -> None:
    assert await world.receive_until(b"\n") == b"hello\n"
    world.client.shutdown(socket.SHUT_WR)
    assert await world.receive_all() == b""
    assert world.parts_made == 0


async def test_a_client_that_has_said_nothing_is_told_when_the_server_goes_down(world: World) -> None:
    world.conversation.shut_down()
    assert await world.receive_all() == b"hello\nshutting down\n"
    assert world.parts_made == 1


async def test_who_has_logged_in_has_no_such_deadline() -> None:
    world = World(login_deadline=0.05)
    world.begin()
    world.conversation.authenticated(Id("a"), "alice")
    await asyncio.sleep(0.15)  # several such deadlines pass
    assert world.engine.refused == []
    await finish(world)


async def test_a_client_that_waits_for_an_answer_is_not_idle() -> None:
    world = World()
    world.engine.idle_timeout = 0.05
    world.begin()
    await world.send(b"wait\n")
    await until(lambda: world.made and world.reactions.seen)
    await asyncio.sleep(0.2)  # several idle timeouts pass
    world.reactions.may_go_on.set()
    assert await world.receive_all() == b"hello\ndone wait\nidle timeout\n"
    await finish(world)


async def test_a_client_that_does_not_read_is_cut_off() -> None:
    world = World(receive_buffer=4096, send_buffer=4096)
    world.engine.idle_timeout = 0.1
    world.begin()
    await world.send(b"big\n")
    await until(lambda: world.closed)
    await until(lambda: world.reactions.saw_ended)
    assert world.engine.refused == []
    await finish(world)


# --- STARTTLS -----------------------------------------------------------------------------------------------------------


async def test_the_upgrade_begins_when_everything_is_sent_and_the_conversation_goes_on_behind_it(world: World) -> None:
    await world.send(b"now\nstarttls\n")
    await world.receive_until(b"go ahead\n")
    await until(lambda: world.upgrades)
    world.finish_upgrade()
    assert world.engine.is_tls
    await world.send(b"now 2\n")
    assert await world.receive_until(b"2\n") == b"done now 2\n"


async def test_the_upgrade_waits_until_the_client_has_taken_what_was_said_in_clear() -> None:
    world = World(receive_buffer=4096, send_buffer=4096).begin()
    await world.send(b"now\n")
    await world.receive_until(b"done now\n")
    world.engine.queued += b"x" * 500_000
    await world.send(b"starttls\n")
    await until(world.transport.get_write_buffer_size)
    await until(lambda: isinstance(world.engine.waiting, StartTls))
    await some_turns()
    assert world.upgrades == []
    assert not world.transport.is_reading()  # what comes now is the client's part of the handshake
    assert len(await world.receive_until(b"go ahead\n")) == 500_000 + len("go ahead\n")
    await until(lambda: world.upgrades)
    await finish(world)


async def test_nothing_is_read_in_clear_during_the_handshake_even_if_reading_was_paused_before(world: World) -> None:
    await world.send(b"wait\n")
    await until(lambda: world.made and world.reactions.seen)
    await world.send(b"now 123456789\n" * 20 + b"starttls\n")
    await until(lambda: not world.transport.is_reading())
    world.reactions.may_go_on.set()
    await world.receive_until(b"go ahead\n")
    await until(lambda: world.upgrades)
    await world.send(b"\x16\x03\x01 a handshake\n")
    await some_turns()
    assert len(world.engine.buffer) == 0
    assert len(world.accepted.recv(100)) == 16
    world.finish_upgrade()
    await world.send(b"now 2\n")
    assert await world.receive_until(b"2\n") == b"done now 2\n"


async def test_a_failed_upgrade_ends_the_connection(world: World) -> None:
    await world.send(b"starttls\n")
    await until(lambda: world.upgrades)
    world.upgrades[-1][1]()
    assert world.closed == 1


async def test_a_client_that_is_gone_before_the_upgrade_is_not_upgraded(world: World) -> None:
    await world.receive()
    world.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # close resets
    await world.send(b"starttls\n")
    world.client.close()
    world.transport.write(b"x")
    await until(lambda: world.closed or world.upgrades)


async def test_nothing_is_said_in_clear_into_a_handshake(world: World) -> None:
    await world.send(b"starttls\n")
    await world.receive_until(b"go ahead\n")
    await until(lambda: world.upgrades)
    world.conversation.shut_down()
    assert world.engine.refused == []
    assert world.closed == 1


async def test_a_handshake_that_takes_longer_than_a_client_may_be_idle_is_cut_off() -> None:
    world = World()
    world.engine.idle_timeout = 0.1
    world.begin()
    await world.send(b"starttls\n")
    await until(lambda: world.closed)
    assert world.engine.refused == []
    await finish(world)


# --- the server goes down ---------------------------------------------------------------------------------------------------


async def test_a_client_that_waits_for_nothing_is_told_at_once_that_the_server_goes_down(world: World) -> None:
    world.conversation.shut_down()
    assert await world.receive_all() == b"hello\nshutting down\n"


async def test_the_answer_under_way_is_given_before_the_server_goes_down(world: World) -> None:
    await world.send(b"wait\nslow\n")
    await until(lambda: world.made and world.reactions.seen)
    world.conversation.shut_down()
    await some_turns()
    world.reactions.may_go_on.set()
    assert await world.receive_all() == b"hello\ndone wait\nshutting down\n"
    assert world.reactions.seen == [b"wait"]


async def test_shutting_down_what_is_over_does_nothing(world: World) -> None:
    await world.send(b"quit\n")
    await world.receive_all()
    await some_turns()
    world.conversation.shut_down()
    assert world.engine.refused == []
