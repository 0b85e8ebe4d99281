"""Listeners in the process of a program: where they are, how they change while they run, what they leave behind."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import smtplib
import socket
import subprocess
import sys
import typing
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import uvloop
from tests.embedding.own_threads import own_threads
from tests.free_port import free_port
from tests.open_descriptors import open_descriptors
from tests.python_process import PACKAGE_PATH

import gatepost
from gatepost import Address, Listener, ListenerFields, Refused, Server, Settings, SmtpMessage
from gatepost.registry.network_listener import NETWORK_LISTENER
from gatepost.registry.system_settings import SYSTEM_SETTINGS

AES_128, CHACHA = "tlsEcdheEcdsaWithAes128GcmSha256", "tlsEcdheEcdsaWithChacha20Poly1305Sha256"
LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


def listener(name: str = "in", *bind: str, **fields: typing.Unpack[ListenerFields]) -> Listener:
    fields.setdefault("use_tls", False)
    return Listener(name=name, bind=bind or ["127.0.0.1:0"], **fields)


async def accept(message: SmtpMessage) -> None:
    del message


def greeting(address: Address) -> str:
    with socket.create_connection(address, timeout=15) as client:
        return client.recv(1000).decode()


def is_refused(address: Address) -> bool:
    try:
        socket.create_connection(address, timeout=15).close()
    except ConnectionRefusedError:
        return True
    return False


def backlog(address: Address) -> int:
    """As the kernel has it."""
    found = subprocess.run(
        ["ss", "-Hltn", f"sport = :{address.port}"], capture_output=True, text=True, timeout=15, check=True
    )
    return int(found.stdout.split()[2])


def test_every_field_of_a_listener_can_be_given() -> None:
    declared = {each.field_name for each in NETWORK_LISTENER.properties.values()}
    assert {"name", "bind", *ListenerFields.__annotations__} == declared


def test_every_setting_is_one_of_the_server() -> None:
    declared = {each.field_name for each in SYSTEM_SETTINGS.properties.values()}
    assert set(Settings.__annotations__) <= declared


@pytest.mark.parametrize("make_loop", LOOPS.values(), ids=LOOPS)
def test_a_server_leaves_nothing_behind_in_either_event_loop(
    make_loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    async def once() -> None:
        async with gatepost.listen([listener(), listener("other", use_tls=True)], smtp=accept) as server:
            client = smtplib.SMTP(timeout=15)
            await asyncio.to_thread(client.connect, *server.address("in"))
            await asyncio.to_thread(client.ehlo)
            await server.update("in", socket_receive_buffer_size=65536)
        client.close()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    with asyncio.Runner(loop_factory=make_loop) as runner:
        runner.run(once())
        before, threads = open_descriptors(), own_threads()
        for _ in range(5):
            runner.run(once())
        assert open_descriptors() == before
        assert own_threads() == threads


async def test_several_servers_at_once_do_not_know_of_each_other() -> None:
    async with (
        gatepost.listen(
            [listener(max_connections=1)], smtp=accept, settings={"default_hostname": "one.example"}
        ) as one,
        gatepost.listen([listener()], smtp=accept, settings={"default_hostname": "two.example"}) as two,
    ):
        greetings = [await asyncio.to_thread(greeting, server.address("in")) for server in (one, two)]
    assert greetings == ["220 one.example ESMTP ready\r\n", "220 two.example ESMTP ready\r\n"]


async def test_a_listener_may_have_several_addresses_and_the_system_chooses_each_port() -> None:
    bind = ["127.0.0.1:0", "127.0.0.2:0", f"127.0.0.1:{free_port()}"]
    async with gatepost.listen([listener("in", *bind)], smtp=accept) as server:
        addresses = server.addresses("in")
        assert [address.host for address in addresses] == ["127.0.0.1", "127.0.0.2", "127.0.0.1"]
        assert str(addresses[2]) == bind[2]
        for address in addresses:
            assert (await asyncio.to_thread(greeting, address)).startswith("220 ")


async def test_a_port_that_the_system_has_chosen_can_be_joined_by_nobody() -> None:
    async with gatepost.listen([listener(socket_reuse_port=False)], smtp=accept) as server:
        with socket.socket() as other:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            with pytest.raises(OSError, match="Address already in use"):
                other.bind(server.address("in"))


async def test_a_cap_changes_while_a_client_is_there() -> None:
    async with gatepost.listen([listener()], smtp=accept) as server:
        address = server.address("in")
        with socket.create_connection(address, timeout=15) as client:
            assert (await asyncio.to_thread(client.recv, 100)).startswith(b"220 ")
            await server.update("in", max_connections=1)
            assert (await asyncio.to_thread(greeting, address)).startswith("421 4.3.2 localhost Too many connections")
            await asyncio.to_thread(client.sendall, b"NOOP\r\n")
            assert (await asyncio.to_thread(client.recv, 100)).startswith(b"250 ")


async def test_an_option_changes_on_the_open_socket() -> None:
    async with gatepost.listen([listener(socket_backlog=30)], smtp=accept) as server:
        address = server.address("in")
        assert await asyncio.to_thread(backlog, address) == 30
        await server.update("in", socket_backlog=7)
        assert await asyncio.to_thread(backlog, address) == 7
        assert server.address("in") == address


async def test_addresses_come_and_go_and_who_is_there_stays() -> None:
    async with gatepost.listen([listener()], smtp=accept) as server:
        old = server.address("in")
        with socket.create_connection(old, timeout=15) as client:
            await asyncio.to_thread(client.recv, 100)
            await server.update("in", bind=["127.0.0.1:0"])
            assert server.address("in") != old
            assert (await asyncio.to_thread(greeting, server.address("in"))).startswith("220 ")
            assert await asyncio.to_thread(is_refused, old)
            await asyncio.to_thread(client.sendall, b"NOOP\r\n")
            assert (await asyncio.to_thread(client.recv, 100)).startswith(b"250 ")


async def test_listeners_are_added_and_removed() -> None:
    async with gatepost.listen([listener()], smtp=accept) as server:
        await server.add(listener("more"), listener("still-more"))
        address = server.address("more")
        assert (await asyncio.to_thread(greeting, address)).startswith("220 ")
        await server.remove("more", "in")
        assert server.names == ("still-more",)
        assert await asyncio.to_thread(is_refused, address)
        with pytest.raises(LookupError, match="there is no listener 'more'; there are: still-more"):
            server.address("more")


async def test_what_cannot_be_bound_is_refused_with_the_errno_and_nothing_has_changed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        async with gatepost.listen([listener()], smtp=accept) as server:
            before = server.address("in")
            with pytest.raises(Refused, match=f"in.bind: 127.0.0.1:{port} cannot be bound") as refused:
                await server.update("in", bind=[f"127.0.0.1:{port}", "127.0.0.1:0"])
            assert [each.errno_name for each in refused.value.objections] == ["EADDRINUSE"]
            assert server.address("in") == before
            assert (await asyncio.to_thread(greeting, before)).startswith("220 ")


async def test_a_start_that_is_refused_leaves_nothing_behind() -> None:
    before = open_descriptors()
    with pytest.raises(Refused, match=r"second.bind: 192\.0\.2\.1:2525 cannot be bound.*EADDRNOTAVAIL"):
        async with gatepost.listen([listener("first"), listener("second", "192.0.2.1:2525")], smtp=accept):
            pass
    assert open_descriptors() == before


async def test_a_start_without_descriptors_says_so_and_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(_descriptor: int) -> int:
        raise OSError(errno.EMFILE, "Too many open files")

    before = open_descriptors()
    with monkeypatch.context() as patch:
        patch.setattr(os, "dup", none_left)
        with pytest.raises(OSError, match="Too many open files"):
            async with gatepost.listen([listener()], smtp=accept):
                pass
    assert open_descriptors() == before


async def test_what_goes_wrong_in_the_block_is_raised_and_the_server_is_closed() -> None:
    before = open_descriptors()
    with pytest.raises(ZeroDivisionError):
        async with gatepost.listen([listener()], smtp=accept) as server:
            raise ZeroDivisionError
    assert await asyncio.to_thread(is_refused, server.address("in"))
    assert open_descriptors() == before


def handshake(address: Address, *options: str) -> str:
    """What openssl says of one, with STARTTLS."""
    done = subprocess.run(
        ["openssl", "s_client", "-connect", str(address), "-starttls", "smtp", *options],
        input="QUIT\n",
        capture_output=True,
        text=True,
        timeout=15,
        check=False,
    )
    return done.stdout + done.stderr


async def test_the_tls_policy_is_the_listeners_and_changes_with_the_next_connection(tmp_path: Path) -> None:
    policy: ListenerFields = {
        "use_tls": True,
        "tls_disable_protocols": ["tls13"],
        "tls_disable_cipher_suites": {AES_128, CHACHA},
    }
    async with gatepost.listen([listener(**policy)], smtp=accept) as server:
        trusted = tmp_path / "trusted.pem"
        trusted.write_text(server.certificate)
        options = ("-CAfile", str(trusted), "-verify_ip", "127.0.0.1")
        said = await asyncio.to_thread(handshake, server.address("in"), *options)
        assert "Verify return code: 0 (ok)" in said
        assert "Cipher is ECDHE-ECDSA-AES256-GCM-SHA384" in said
        assert "Cipher is (NONE)" in await asyncio.to_thread(handshake, server.address("in"), "-tls1_3")
        await server.update("in", tls_disable_protocols=[])
        assert "New, TLSv1.3, Cipher is" in await asyncio.to_thread(handshake, server.address("in"))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (listener(tls_implicit=True), "in.tls_implicit: implicit TLS needs TLS"),
        (listener("in", "localhost:0"), r"in.bind: 'localhost:0' is not a socket address; write 127\.0\.0\.1:0"),
        (listener("in", "localhost:25"), "in.bind: 'localhost:25' is not a socket address"),
        (listener(max_connections=0), "in.max_connections: must"),
        (listener(protocol="http"), r"in.protocol: nobody answers http here: give http= to listen\(\)"),
        (listener(protocol="imap"), r"in.protocol: imap needs a mail server behind it: use gatepost.mail_server\(\)"),
        (listener("bad name"), "bad name.name: may have letters"),
        (Listener(name="in", bind=[]), "in.bind: needs at least 1 member"),
        (Listener(name="in", bind=["127.0.0.1:0"], colour="blue"), "in.colour: there is no property"),  # type: ignore[call-arg]
    ],
)
async def test_what_makes_no_sense_is_refused_with_the_name_of_the_field(wrong: Listener, words: str) -> None:
    with pytest.raises(Refused, match=words):
        async with gatepost.listen([wrong], smtp=accept):
            pass


async def test_a_setting_that_makes_no_sense_is_refused_with_its_name() -> None:
    with pytest.raises(Refused, match=r"settings\.max_connections: must"):
        async with gatepost.listen(settings={"max_connections": 0}):
            pass


async def test_a_time_may_be_a_timedelta() -> None:
    async with gatepost.listen([listener(use_tls=True, tls_timeout=timedelta(seconds=0.05))], smtp=accept) as server:
        reader, writer = await asyncio.open_connection(*server.address("in"))
        writer.write(b"EHLO me\r\nSTARTTLS\r\n")
        await asyncio.wait_for(reader.read(), 15)  # ends, because no handshake comes
        writer.close()


async def test_a_single_address_need_not_be_in_a_list() -> None:
    async with gatepost.listen([Listener(name="in", bind="127.0.0.1:0")], smtp=accept) as server:
        await server.update("in", bind="127.0.0.2:0")
        assert server.address("in").host == "127.0.0.2"


async def test_two_listeners_of_one_name_are_refused() -> None:
    async with gatepost.listen([listener()], smtp=accept) as server:
        with pytest.raises(Refused, match=r"IN\.name: there is a listener of this name"):
            await server.add(listener("IN"))


async def test_settings_hold_for_all_listeners_and_change_while_they_run() -> None:
    async with gatepost.listen([listener(), listener("b")], smtp=accept, settings={"max_connections": 1}) as server:
        with socket.create_connection(server.address("in"), timeout=15) as client:
            await asyncio.to_thread(client.recv, 100)
            assert (await asyncio.to_thread(greeting, server.address("b"))).startswith("421 ")
            await server.update_settings(max_connections=10, default_hostname="new.example")
            assert await asyncio.to_thread(greeting, server.address("b")) == "220 new.example ESMTP ready\r\n"


async def test_the_status_is_that_of_the_kernel() -> None:
    async with gatepost.listen([listener(socket_ttl=9)], smtp=accept) as server:
        await asyncio.to_thread(greeting, server.address("in"))
        status = await server.status("in")
    assert (status.state, status.counts.accepted) == ("active", 1)
    assert status.addresses[0].socket_options["socketTtl"] == (9, 9)


async def test_on_leaving_clients_are_told_and_a_message_under_way_is_finished() -> None:
    has_begun, may_end = asyncio.Event(), asyncio.Event()

    async def slow(message: SmtpMessage) -> None:
        has_begun.set()
        await may_end.wait()

    async def client(server: Server) -> bytes:
        reader, writer = await asyncio.open_connection(*server.address("in"))
        writer.write(b"HELO me\r\nMAIL FROM:<>\r\nRCPT TO:<b@here.example>\r\nDATA\r\n")
        while not (await reader.readline()).startswith(b"354"):
            pass
        writer.write(b"x\r\n.\r\n")
        rest = await reader.read()
        writer.close()
        return rest

    async with gatepost.listen([listener()], smtp=slow) as server:
        asked = asyncio.create_task(client(server))
        await asyncio.wait_for(has_begun.wait(), 15)
        asyncio.get_running_loop().call_soon(may_end.set)
    answers = (await asyncio.wait_for(asked, 15)).split(b"\r\n")
    assert answers[0].startswith(b"250 2.0.0 Message taken")
    assert answers[1].startswith(b"421 4.3.2 localhost Service shutting down")


@pytest.mark.parametrize("is_gone", [False, True], ids=["client waits", "client is gone"])
async def test_a_handler_that_never_ends_is_cancelled_when_the_time_is_over(is_gone: bool) -> None:
    has_begun, was_cancelled = asyncio.Event(), asyncio.Event()

    async def never(message: SmtpMessage) -> None:
        has_begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            was_cancelled.set()

    async with gatepost.listen([listener()], smtp=never, drain_timeout=0.05) as server:
        _, writer = await asyncio.open_connection(*server.address("in"))
        writer.write(b"HELO me\r\nMAIL FROM:<>\r\nRCPT TO:<b@here.example>\r\nBDAT 3 LAST\r\nx\r\n")
        await asyncio.wait_for(has_begun.wait(), 15)
        if is_gone:
            writer.close()
    writer.close()
    assert was_cancelled.is_set()
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.parametrize("times", [1, 50], ids=["once", "again and again"])
async def test_who_is_cancelled_on_leaving_waits_for_nobody_and_leaves_nothing_behind(times: int) -> None:
    before, has_begun, was_cancelled = open_descriptors(), asyncio.Event(), asyncio.Event()

    async def never(message: SmtpMessage) -> None:
        has_begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            was_cancelled.set()

    async def leave_with_a_client_there() -> None:
        async with gatepost.listen([listener()], smtp=never, drain_timeout=600) as server:
            _, writer = await asyncio.open_connection(*server.address("in"))
            writers.append(writer)
            writer.write(b"HELO me\r\nMAIL FROM:<>\r\nRCPT TO:<b@here.example>\r\nBDAT 3 LAST\r\nx\r\n")
            await asyncio.wait_for(has_begun.wait(), 15)
            is_leaving.set()

    writers, is_leaving = list[asyncio.StreamWriter](), asyncio.Event()
    leaving = asyncio.create_task(leave_with_a_client_there())
    await is_leaving.wait()
    for _ in range(times):
        await asyncio.sleep(0)
        leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(leaving, 15)
    assert was_cancelled.is_set()
    writers[0].close()
    await asyncio.wait([asyncio.ensure_future(writers[0].wait_closed())], timeout=15)
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert open_descriptors() == before


async def test_a_server_that_has_ended_says_so_at_once() -> None:
    async with gatepost.listen([listener()], smtp=accept) as server:
        pass
    for ask in (
        lambda: server.update("in", max_connections=5),
        lambda: server.add(listener("more")),
        lambda: server.remove("in"),
        lambda: server.status("in"),
        lambda: server.update_settings(max_connections=5),
    ):
        with pytest.raises(RuntimeError, match="the server has ended"):
            await ask()


async def test_addresses_may_be_given_as_they_are_told() -> None:
    wanted = Address("127.0.0.1", free_port())
    async with gatepost.listen([Listener(name="in", bind=[wanted])], smtp=accept) as server:
        assert server.addresses("in") == (wanted,)
        await server.update("in", bind=[*server.addresses("in"), "127.0.0.1:0"])
        assert server.address("in") == wanted


async def test_a_listener_keeps_its_name() -> None:
    changes: typing.Any = {"name": "other"}
    async with gatepost.listen([listener()], smtp=accept) as server:
        with pytest.raises(Refused, match="name: cannot be changed"):
            await server.update("in", **changes)


def test_the_log_of_the_program_is_left_as_it_is() -> None:
    """In a process of its own: what is imported and set up counts."""
    program = """
import asyncio, logging, sys
import gatepost
assert "gatepost.embedding" not in sys.modules

async def accept(message): pass

def state():
    names = ("uvicorn", "uvicorn.access", "uvicorn.error", "gatepost", "asyncio")
    loggers = [logging.getLogger(), *map(logging.getLogger, names)]
    return [(each.name, each.level, each.propagate, list(each.handlers), each.disabled) for each in loggers]

async def app(scope, receive, send): raise ValueError

async def main():
    before, handler = state(), asyncio.get_running_loop().get_exception_handler()
    listeners = [gatepost.Listener(name=name, protocol=name, bind=["127.0.0.1:0"]) for name in ("smtp", "http")]
    async with gatepost.listen(listeners, smtp=accept, http=app):
        assert state() == before
        assert asyncio.get_running_loop().get_exception_handler() is handler
    assert state() == before
    assert not {"structlog", "rich", "alembic", "sqlalchemy", "pytest"} & set(sys.modules), sorted(sys.modules)

asyncio.run(main())
"""
    finished = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": PACKAGE_PATH},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (finished.returncode, finished.stdout, finished.stderr) == (0, "", "")


async def test_events_are_records_of_the_logger_gatepost(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "gatepost")
    async with gatepost.listen([listener()], smtp=accept):
        pass
    (record,) = [each for each in caplog.records if each.getMessage().startswith("plan.applied")]
    assert record.name == "gatepost"
    assert vars(record)["gatepost"]["listeners"] == 1
