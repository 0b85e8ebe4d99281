"""Many passwords at the same time: no more of them are looked at than if they came one after the other, and whoever is right gets
in, however many connections it has."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from ipaddress import ip_address
from typing import Any

import pytest
from tests.own_login_pace import NotedWaits, own_login_pace

from gatepost.mail.directory import DirectoryAccount, NoSuchRecipient
from gatepost.session.authentication import PasswordAuthenticator
from gatepost.session.link import Peer
from gatepost.session.login_pace import PaceSettings
from gatepost.session.login_places import LoginPlaces
from gatepost.session.login_waits import LoginWaits
from gatepost.session.password_hash import PasswordVerifier, hash_password
from gatepost.session.reactions import AuthenticationFailed
from gatepost.values.ids import Id
from gatepost.values.secret import Secret

RIGHT, WRONG = Secret("open sesame"), Secret("open says me")
HASH = Secret(hash_password("open sesame"))
BURST = 64
SETTINGS = PaceSettings()


class Everybody:
    """Everybody but those whose name begins with `nobody` has an account."""

    async def recipient(self, address: str) -> DirectoryAccount | NoSuchRecipient:
        raise NotImplementedError

    async def login(self, login_name: str) -> DirectoryAccount | None:
        if login_name.startswith("nobody"):
            return None
        return DirectoryAccount(Id(login_name), login_name, frozenset(), "user", HASH, None)


class GatedVerifier(PasswordVerifier):
    """Looks at no password before `may_go_on`."""

    def __init__(self) -> None:
        super().__init__()
        self.looked_at = 0
        self.under_way = self.most_at_once = 0
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()

    async def verify(self, password_hash: Secret, password: Secret) -> bool:
        self.looked_at += 1
        self.under_way += 1
        self.most_at_once = max(self.most_at_once, self.under_way)
        try:
            await self.may_go_on.wait()
            return await super().verify(password_hash, password)
        finally:
            self.under_way -= 1


class Door:
    """An authenticator whose clock stands still and whose delays do not end."""

    def __init__(self, settings: PaceSettings = SETTINGS) -> None:
        self.verifier = GatedVerifier()
        waits = NotedWaits(self._for_ever)
        self.delays = waits.seconds
        self.authenticator = PasswordAuthenticator(
            Everybody(), verifier=self.verifier, pace=own_login_pace(settings), waits=waits, clock=lambda: 1000.0
        )

    async def _for_ever(self, seconds: float) -> None:
        del seconds
        await asyncio.Event().wait()

    async def attempt(self, name: str, password: Secret = WRONG, source: str = "192.0.2.7") -> str:
        """`in`, `wrong` or `not now`."""
        peer = Peer(ip_address(source), 4001, ip_address("198.51.100.1"), 110)
        try:
            await self.authenticator.authenticate(name, password, peer)
        except AuthenticationFailed as failure:
            return "not now" if failure.is_temporary else "wrong"
        return "in"

    @asynccontextmanager
    async def attempts(self, *attempts: Any) -> AsyncIterator[list[asyncio.Task[str]]]:
        """They run until the block ends."""
        tasks = [asyncio.create_task(each) for each in attempts]
        try:
            yield tasks
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture
def door() -> Iterator[Door]:
    made = Door()
    yield made
    made.authenticator.close()


async def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "not true in time"
        await asyncio.sleep(0.005)


def outcomes(tasks: list[asyncio.Task[str]], outcome: str) -> int:
    return sum(task.done() and task.result() == outcome for task in tasks)


@pytest.mark.parametrize("name", ["alice", "nobody"])
async def test_a_burst_at_one_name_is_looked_at_as_often_as_a_sequence_before_anybody_waits(
    door: Door, name: str
) -> None:
    async with door.attempts(*(door.attempt(name) for _ in range(BURST))) as tasks:
        # Then the name has failed so often that the next wait; the address may have ten attempts under way.
        await until(lambda: len(door.delays) == SETTINGS.free_per_source - SETTINGS.free_per_name)
        assert door.verifier.looked_at == outcomes(tasks, "wrong") == SETTINGS.free_per_name
        assert all(delay > 0 for delay in door.delays)


async def test_a_burst_over_many_names_is_looked_at_and_slowed_like_a_sequence(door: Door) -> None:
    names = [f"{'nobody' if number % 2 else 'somebody'}{number}" for number in range(BURST)]
    async with door.attempts(*(door.attempt(name) for name in names)) as tasks:
        await until(lambda: outcomes(tasks, "not now") == BURST - SETTINGS.free_per_source - 4)
        assert door.verifier.looked_at == outcomes(tasks, "wrong") == SETTINGS.free_per_source
        # 0.5 s, then 1, 2 and 4 s more, as if each had failed when the next began; the queue is full then.
        assert door.delays == [0.5, 1.5, 3.5, 7.5]


async def test_failures_before_a_burst_count(door: Door) -> None:
    for _ in range(SETTINGS.free_per_name - 1):
        assert await door.attempt("alice") == "wrong"
    before, door.verifier.most_at_once = door.verifier.looked_at, 0
    async with door.attempts(*(door.attempt("alice") for _ in range(BURST))):
        await until(lambda: bool(door.delays))
        assert door.verifier.looked_at == before + 1


async def test_a_client_with_many_connections_that_is_right_gets_in_on_all_of_them(door: Door) -> None:
    door.verifier.may_go_on.clear()
    async with door.attempts(*(door.attempt("alice", RIGHT) for _ in range(200))) as tasks:
        await until(lambda: door.verifier.under_way == SETTINGS.free_per_name)
        door.verifier.may_go_on.set()
        assert await asyncio.gather(*tasks) == ["in"] * 200
    assert door.verifier.looked_at == SETTINGS.free_per_name  # what is known to be right is not looked at again
    assert door.delays == []


async def test_many_people_behind_one_address_get_in_together(door: Door) -> None:
    people = [door.attempt(f"person{number}", RIGHT) for number in range(BURST)]
    assert await asyncio.gather(*people) == ["in"] * BURST
    assert door.verifier.most_at_once <= SETTINGS.free_per_source
    assert door.delays == []


async def test_who_is_right_gets_in_beside_others_who_guess_the_same_name(door: Door) -> None:
    door.verifier.may_go_on.clear()
    guesses = [door.attempt("alice", WRONG, f"198.51.100.{number}") for number in range(2)]
    async with door.attempts(*guesses, *(door.attempt("alice", RIGHT) for _ in range(20))) as tasks:
        await until(lambda: door.verifier.under_way == SETTINGS.free_per_name)
        door.verifier.may_go_on.set()
        assert await asyncio.gather(*tasks) == ["wrong", "wrong", *["in"] * 20]


async def test_nobody_keeps_the_owner_of_a_name_out_with_attempts_that_last() -> None:
    door = Door(PaceSettings(longest_delay=0.05))
    door.verifier.may_go_on.clear()
    guesses = [door.attempt("alice", WRONG, f"198.51.100.{number}") for number in range(SETTINGS.free_per_name)]
    async with door.attempts(*guesses):
        await until(lambda: door.verifier.under_way == SETTINGS.free_per_name)
        async with door.attempts(door.attempt("alice", RIGHT)) as (owner,):
            await until(lambda: door.verifier.under_way == SETTINGS.free_per_name + 1)
            door.verifier.may_go_on.set()
            assert await owner == "in"
    door.authenticator.close()


async def test_an_address_whose_attempts_all_last_is_told_to_come_later() -> None:
    door = Door(PaceSettings(longest_queue=0.05))
    door.verifier.may_go_on.clear()
    names = [f"person{number}" for number in range(SETTINGS.free_per_source)]
    async with door.attempts(*(door.attempt(name, RIGHT) for name in names)) as tasks:
        await until(lambda: door.verifier.under_way == SETTINGS.free_per_source)
        assert await door.attempt("one more", RIGHT) == "not now"
        door.verifier.may_go_on.set()
        assert await asyncio.gather(*tasks) == ["in"] * SETTINGS.free_per_source
    assert await door.attempt("one more", RIGHT) == "in"
    door.authenticator.close()


async def test_clients_that_leave_while_they_wait_or_are_looked_at_leave_no_trace(door: Door) -> None:
    door.verifier.may_go_on.clear()
    async with door.attempts(*(door.attempt("alice") for _ in range(BURST))):
        await until(lambda: door.verifier.under_way == SETTINGS.free_per_name)
    door.verifier.may_go_on.set()
    assert [await door.attempt("alice") for _ in range(SETTINGS.free_per_name)] == ["wrong"] * SETTINGS.free_per_name
    assert door.delays == []


async def test_whoever_stands_in_line_is_sent_away_when_the_server_takes_leave() -> None:
    waits = LoginWaits()
    door = Door()
    door.authenticator._places = LoginPlaces(own_login_pace(), waits, lambda: 1000.0)
    door.verifier.may_go_on.clear()
    async with door.attempts(*(door.attempt("alice", RIGHT) for _ in range(BURST))) as tasks:
        await until(lambda: door.verifier.under_way == SETTINGS.free_per_name)
        waits.end()
        await until(lambda: outcomes(tasks, "not now") == BURST - SETTINGS.free_per_name)
        door.verifier.may_go_on.set()
        await until(lambda: outcomes(tasks, "in") == SETTINGS.free_per_name)
    door.authenticator.close()
