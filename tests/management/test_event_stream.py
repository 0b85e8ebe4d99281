"""GET /jmap/eventsource/: who gets which events, and when a stream ends (RFC 8620 section 7.3)."""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest

from gatepost.management.app import make_app
from gatepost.management.event_stream_limits import EventStreamLimits
from gatepost.management.jmap.event_source import PingBounds
from gatepost.registry.account import ACCOUNT, Account, Role
from gatepost.registry.domain import DOMAIN, Domain
from gatepost.values.ids import Id
from gatepost.values.secret import Secret

Api = Any
_DEADLINE = 15.0  # seconds


class Stream:
    """The client's end of a request that is answered bit by bit."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.is_ended = False
        self.leave_callbacks: list[Callable[[], None]] = []
        self.has_left = asyncio.Event()
        self._octets = b""
        self._moved = asyncio.Event()

    async def send(self, message: Mapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            self._octets += message.get("body", b"")
            self.is_ended = not message.get("more_body", False)
        self._moved.set()

    async def receive(self) -> dict[str, Any]:
        await self.has_left.wait()
        return {"type": "http.disconnect"}

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(_DEADLINE):
            while not condition():
                self._moved.clear()
                await self._moved.wait()

    async def event(self) -> dict[str, str]:
        """The next event; its data is still JSON."""
        while True:
            await self.until(lambda: b"\n\n" in self._octets)
            block, _, self._octets = self._octets.partition(b"\n\n")
            fields = dict(line.split(": ", 1) for line in block.decode().split("\n") if not line.startswith(":"))
            if fields:
                return fields

    async def changed(self) -> dict[str, str]:
        """The types that the next event tells of, with their states."""
        event = await self.event()
        assert event["event"] == "state", event
        change = json.loads(event["data"])
        assert change["@type"] == "StateChange"
        (states,) = change["changed"].values()
        result: dict[str, str] = states
        return result

    async def end(self) -> None:
        """Wait until the server has said all."""
        await self.until(lambda: self.is_ended)


@asynccontextmanager
async def stream(
    api: Api, user: str = "admin", headers: Mapping[str, str] | None = None, **query: object
) -> AsyncIterator[Stream]:
    """An event stream that is open, or was refused."""
    client = Stream()
    all_headers = {"authorization": basic(user), **(headers or {})}
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/jmap/eventsource/",
        "root_path": "",
        "scheme": "http",
        "query_string": urlencode(query).encode(),
        "headers": [(name.encode(), value.encode()) for name, value in all_headers.items()],
        "client": ("127.0.0.1", 50_000),
        "server": ("127.0.0.1", 8080),
        "state": {"listener_id": "web", "on_leaving": client.leave_callbacks},
    }
    answering = asyncio.create_task(api.app(scope, client.receive, client.send))
    try:
        await client.until(lambda: client.status != 0)
        yield client
    finally:
        client.has_left.set()
        async with asyncio.timeout(_DEADLINE):
            await answering


def basic(user: str) -> str:
    return "Basic " + b64encode(f"{user}:secret".encode()).decode()


def change_domain(api: Api, name: str) -> None:
    """A commit of another worker, with the notice of it."""
    api.store.put(DOMAIN, f"id-{name}", Domain(name=name))
    api.parts.state_watch.changed_elsewhere(["x:Domain"])


def with_limits(api: Api, **limits: Any) -> Api:
    api.parts = replace(api.parts, event_stream_limits=EventStreamLimits(**limits))
    api.app = make_app(api.parts)
    return api


async def test_a_change_is_pushed_with_the_state_that_get_gives(api: Api) -> None:
    async with stream(api, types="*", closeafter="no", ping=0) as client:
        assert (client.status, client.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
        change_domain(api, "example.net")
        pushed = await client.changed()
        assert pushed == {"x:Domain": (await api.call("x:Domain/get", ids=None))["state"]}


async def test_a_change_that_this_worker_makes_is_pushed_and_the_others_are_told(api: Api) -> None:
    async with stream(api) as client:
        api.store.put(DOMAIN, "d", Domain(name="example.net"))
        api.parts.state_watch.changed_here(["Domain"])
        assert list(await client.changed()) == ["x:Domain"]


async def test_only_types_that_were_asked_for_are_pushed(api: Api) -> None:
    async with stream(api, types="x:Account,x:NoSuchType") as client:
        change_domain(api, "example.net")
        api.store.put(ACCOUNT, "bob", Account(name="bob", password=Secret("x"), role=Role.USER))
        api.parts.state_watch.changed_elsewhere(["x:Account"])
        assert list(await client.changed()) == ["x:Account"]


async def test_nobody_is_told_of_types_that_the_account_may_not_see(api: Api) -> None:
    async with stream(api, "alice") as client:
        change_domain(api, "example.net")
        api.store.put(ACCOUNT, "bob", Account(name="bob", password=Secret("x"), role=Role.USER))
        api.parts.state_watch.changed_elsewhere(["x:Account"])
        assert list(await client.changed()) == ["x:Account"]


async def test_the_stream_closes_after_a_state_event_where_that_was_asked_for(api: Api) -> None:
    async with stream(api, closeafter="state") as client:
        change_domain(api, "example.net")
        assert list(await client.changed()) == ["x:Domain"]
        await client.end()


async def test_a_ping_comes_when_nothing_else_does_and_does_not_close_the_stream(api: Api) -> None:
    with_limits(api, ping=PingBounds(shortest=1, longest=1))
    async with stream(api, ping=300, closeafter="state") as client:
        for _ in range(2):
            event = await client.event()
            assert (event["event"], json.loads(event["data"])) == ("ping", {"interval": 1})
        assert not client.is_ended


async def test_without_pings_a_comment_keeps_the_connection_alive(api: Api) -> None:
    with_limits(api, longest_silence=0.02)
    async with stream(api, ping=0) as client:
        await client.until(lambda: client._octets.count(b":\n\n") > 2)
        assert b"event" not in client._octets


async def test_who_comes_back_with_the_last_event_id_is_told_at_once_what_was_missed(api: Api) -> None:
    async with stream(api) as client:
        change_domain(api, "example.net")
        last = (await client.event())["id"]
    change_domain(api, "example.com")
    async with stream(api, headers={"last-event-id": last}) as client:
        assert list(await client.changed()) == ["x:Domain"]
    async with stream(api, headers={"last-event-id": "nonsense"}, types="x:Domain,x:Account") as client:
        assert sorted(await client.changed()) == ["x:Account", "x:Domain"]


async def test_who_asks_for_the_header_alone_is_not_kept_waiting(api: Api) -> None:
    async with api.client() as client:
        answer = await client.head("/jmap/eventsource/", auth=("admin", "secret"))
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")


async def test_credentials_are_needed(api: Api) -> None:
    async with stream(api, headers={"authorization": "Basic nonsense"}) as client:
        assert client.status == 401


@pytest.mark.parametrize("query", [{"closeafter": "x"}, {"ping": "soon"}])
async def test_a_query_that_makes_no_sense_is_refused(query: dict[str, Any], api: Api) -> None:
    async with stream(api, **query) as client:
        assert client.status == 400


async def test_a_stream_ends_with_the_credentials_that_it_was_opened_with(api: Api) -> None:
    async with stream(api, "olga") as client:
        changed = Account(name="olga", domain_id=Id("org"), password=Secret("another hash"), role=Role.OPERATOR)
        api.store.put(ACCOUNT, "id-olga", changed)
        api.parts.state_watch.changed_elsewhere(["x:Account"])
        await client.end()
        assert b"event: state" not in client._octets


async def test_a_stream_says_no_more_than_a_role_that_was_taken_away_may_see(api: Api) -> None:
    async with stream(api, "olga", types="x:Domain,x:Account") as client:
        changed = Account(name="olga", domain_id=Id("org"), password=Secret("hash of secret"), role=Role.USER)
        api.store.put(ACCOUNT, "id-olga", changed)
        change_domain(api, "example.net")
        assert list(await client.changed()) == ["x:Account"]


async def test_a_stream_ends_when_the_server_takes_its_leave(api: Api) -> None:
    async with stream(api) as client:
        (leave,) = client.leave_callbacks
        leave()
        await client.end()
    assert client.leave_callbacks == []


async def test_an_account_has_a_number_of_streams_and_so_has_the_worker(api: Api) -> None:
    with_limits(api, most_streams_of_account=2, most_streams=3)
    async with AsyncExitStack() as streams:
        opened = [await streams.enter_async_context(stream(api, user)) for user in ("admin", "admin", "admin", "olga")]
        assert [each.status for each in opened] == [200, 200, 429, 200]
        assert opened[2].headers["retry-after"]
        assert (await streams.enter_async_context(stream(api, "alice"))).status == 503
    async with stream(api) as client:
        assert client.status == 200


@pytest.mark.parametrize(("user", "is_told"), [("olga", True), ("alice", False)])
async def test_who_may_see_the_history_is_told_when_it_grows(api: Api, user: str, is_told: bool) -> None:
    async with stream(api, user, types="x:Change,x:Account") as client:
        await api.call("x:Domain/set", create={"d": {"name": "example.net"}})
        await api.call("x:Account/set", update={"id-alice": {"description": "new"}})
        api.parts.state_watch.changed_elsewhere(["x:Account"])
        told = await client.changed()
        assert told.keys() == ({"x:Change", "x:Account"} if is_told else {"x:Account"})
        if is_told:
            assert told["x:Change"] == (await api.call("x:Change/get", ids=[]))["state"]
