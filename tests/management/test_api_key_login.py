"""Finding out which API key a request came with: slowed down for who fails, never for who is right."""

from __future__ import annotations

from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any

import pytest
import structlog
from tests.own_login_pace import NotedWaits, own_login_pace

from gatepost.management.api_key_login import ApiKeyLogin, KeyRefused
from gatepost.management.api_key_token import hash_of_token, make_token
from gatepost.registry.api_key import API_KEY, ApiKey
from gatepost.session.link import Peer
from gatepost.values.ids import Id
from gatepost.values.secret import Secret

Api = Any
GOOD = make_token(Id("ikey"), bytes(32))
BAD = Secret(GOOD.reveal()[:-1] + "f")


def peer(source: str) -> Peer:
    return Peer(ip_address(source), 1, ip_address("127.0.0.1"), 443)


class World:
    """A login whose sleeps are noted and take no time."""

    def __init__(self, api: Api) -> None:
        waits = NotedWaits()
        self.slept = waits.seconds
        self.time = 0.0
        api.store.put(API_KEY, "ikey", ApiKey(name="k", account_id=Id("id-admin"), secret=hash_of_token(GOOD)))
        self.login = ApiKeyLogin(api.store, lambda: datetime.now(UTC), own_login_pace(), waits, clock=lambda: self.time)

    async def refusal(self, source: str = "192.0.2.1") -> KeyRefused:
        with pytest.raises(KeyRefused) as refused:
            await self.login.key_of(BAD, peer(source))
        return refused.value


@pytest.fixture
def world(api: Api) -> World:
    return World(api)


async def test_who_fails_waits_longer_and_longer_and_is_turned_away_at_last(world: World) -> None:
    refusals = [await world.refusal() for _ in range(30)]
    assert world.slept == sorted(world.slept)
    assert world.slept[-1] > world.slept[0] > 0
    assert not refusals[0].must_wait
    assert refusals[-1].must_wait


async def test_a_key_that_is_right_is_never_slowed_down(world: World) -> None:
    for _ in range(30):
        await world.refusal()
    world.slept.clear()
    assert (await world.login.key_of(GOOD, peer("192.0.2.1")))[1].name == "k"
    assert world.slept == []


async def test_guesses_at_one_key_are_slowed_wherever_they_come_from(world: World) -> None:
    for number in range(6):
        await world.refusal(f"192.0.2.{number}")
    assert world.slept


async def test_the_reason_is_in_the_log_and_the_secret_is_not(world: World) -> None:
    with structlog.testing.capture_logs() as logged:
        await world.refusal()
    (entry,) = logged
    assert (entry["event"], entry["reason"], entry["source"]) == ("login.failed", "wrong secret", "192.0.2.1")
    assert "ikey" in entry["login"]
    assert BAD.reveal()[-64:] not in str(entry)
