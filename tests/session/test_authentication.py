"""Logging in with name and password: right, wrong, unknown, too often, again, and while the store is away."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_address

import argon2
import pytest
from tests.own_login_pace import NotedWaits, own_login_pace

from gatepost.mail.directory import DirectoryAccount, NoSuchRecipient
from gatepost.session.authentication import PasswordAuthenticator, RecentLogins
from gatepost.session.link import Peer
from gatepost.session.login_pace import PaceSettings
from gatepost.session.login_waits import LoginWaits
from gatepost.session.password_hash import (
    PasswordVerifier,
    TooManyWaiting,
    hash_of_nobody,
    hash_password,
    hash_to_store,
    is_password_of,
)
from gatepost.session.reactions import AuthenticationFailed
from gatepost.store.interface import Broken
from gatepost.telemetry import events
from gatepost.telemetry.events import Event
from gatepost.values.ids import Id
from gatepost.values.secret import Secret

PEER = Peer(ip_address("192.0.2.7"), 4001, ip_address("198.51.100.1"), 110)
RIGHT, WRONG = Secret("open sesame"), Secret("open says me")
ALICE = DirectoryAccount(
    Id("a1"),
    "alice@example.org",
    frozenset({"alice@example.org"}),
    "user",
    Secret(hash_password("open sesame")),
    None,
)


class OneAccountDirectory:
    def __init__(self) -> None:
        self.account: DirectoryAccount | None = ALICE
        self.is_broken = False

    async def recipient(self, address: str) -> DirectoryAccount | NoSuchRecipient:
        raise NotImplementedError

    async def login(self, login_name: str) -> DirectoryAccount | None:
        if self.is_broken:
            raise Broken("the disk is gone")
        is_known = login_name.casefold() in ("alice", "alice@example.org")
        return self.account if is_known else None


class CountingVerifier(PasswordVerifier):
    def __init__(self) -> None:
        super().__init__(threads=1)
        self.hashes: list[Secret] = []
        self.is_full = False

    async def verify(self, password_hash: Secret, password: Secret) -> bool:
        if self.is_full:
            raise TooManyWaiting
        self.hashes.append(password_hash)
        return await super().verify(password_hash, password)


class Time:
    def __init__(self) -> None:
        self.now = 1000.0
        self.waits = NotedWaits(self._pass)
        self.slept = self.waits.seconds

    def clock(self) -> float:
        return self.now

    async def _pass(self, seconds: float) -> None:
        self.now += seconds


class Stage:
    def __init__(self) -> None:
        self.directory, self.verifier, self.time = OneAccountDirectory(), CountingVerifier(), Time()
        self.authenticator = PasswordAuthenticator(
            self.directory,
            verifier=self.verifier,
            pace=own_login_pace(PaceSettings(free_per_name=2)),
            clock=self.time.clock,
            waits=self.time.waits,
        )

    async def fails(self, name: str = "alice", password: Secret = WRONG) -> AuthenticationFailed:
        with pytest.raises(AuthenticationFailed) as failure:
            await self.authenticator.authenticate(name, password, PEER)
        return failure.value


@pytest.fixture
def stage() -> Iterator[Stage]:
    stage = Stage()
    yield stage
    stage.authenticator.close()


async def test_the_right_password_gives_the_account(stage: Stage) -> None:
    assert await stage.authenticator.authenticate("alice", RIGHT, PEER) == ALICE


async def test_wrong_password_and_unknown_name_look_and_cost_the_same(stage: Stage) -> None:
    wrong, unknown = await stage.fails("alice", WRONG), await stage.fails("nobody", WRONG)
    assert str(wrong) == str(unknown)
    assert not wrong.is_temporary
    assert not unknown.is_temporary
    assert stage.verifier.hashes == [ALICE.password_hash, hash_of_nobody()]


def test_looking_at_nobodys_hash_takes_the_same_as_at_any_other() -> None:
    nobody, somebody = (argon2.extract_parameters(each.reveal()) for each in (hash_of_nobody(), ALICE.password_hash))
    assert nobody == somebody


async def test_no_password_belongs_to_nobody(stage: Stage) -> None:
    await stage.fails("nobody", Secret(""))
    await stage.fails("nobody", hash_of_nobody())


async def test_a_password_that_was_right_just_now_is_not_hashed_again(stage: Stage) -> None:
    for _ in range(3):
        await stage.authenticator.authenticate("alice", RIGHT, PEER)
    await stage.authenticator.authenticate("alice@example.org", RIGHT, PEER)
    assert len(stage.verifier.hashes) == 1


async def test_it_is_hashed_again_when_its_time_is_over(stage: Stage) -> None:
    await stage.authenticator.authenticate("alice", RIGHT, PEER)
    stage.time.now += 299.9
    await stage.authenticator.authenticate("alice", RIGHT, PEER)
    assert len(stage.verifier.hashes) == 1
    stage.time.now += 0.1
    await stage.authenticator.authenticate("alice", RIGHT, PEER)
    assert len(stage.verifier.hashes) == 2


async def test_a_changed_password_and_a_removed_account_count_at_once(stage: Stage) -> None:
    await stage.authenticator.authenticate("alice", RIGHT, PEER)
    stage.directory.account = replace(ALICE, password_hash=Secret(hash_password("another")))
    await stage.fails("alice", RIGHT)
    stage.directory.account = None
    await stage.fails("alice", RIGHT)


async def test_failures_slow_down_the_name_and_success_ends_that(stage: Stage) -> None:
    for _ in range(3):
        await stage.fails()
    assert stage.time.slept == [0.5]
    await stage.fails("ALICE")
    assert stage.time.slept == [0.5, 1.0]
    await stage.authenticator.authenticate("alice", RIGHT, PEER)
    assert stage.time.slept == [0.5, 1.0, 2.0]
    await stage.fails()
    assert len(stage.time.slept) == 3


async def test_known_good_credentials_do_not_wait_for_somebody_who_guesses(stage: Stage) -> None:
    await stage.authenticator.authenticate("alice", RIGHT, PEER)
    for _ in range(3):
        await stage.fails()
    slept = list(stage.time.slept)
    await stage.authenticator.authenticate("alice", RIGHT, PEER)
    assert stage.time.slept == slept


async def test_an_account_that_changes_during_the_wait_is_looked_at_afresh(stage: Stage) -> None:
    await stage.fails()
    await stage.fails()

    async def change_password(seconds: float) -> None:
        stage.directory.account = replace(ALICE, password_hash=Secret(hash_password("another")))

    stage.time.waits.wait = change_password
    await stage.fails("alice", RIGHT)


@pytest.mark.parametrize("becomes", [None, replace(ALICE, password_hash=Secret(hash_password("another")))])
async def test_a_password_that_is_changed_while_it_is_looked_at_lets_nobody_in(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, becomes: DirectoryAccount | None
) -> None:
    async def verify(password_hash: Secret, password: Secret) -> bool:
        stage.directory.account = becomes
        return is_password_of(password_hash, password)

    monkeypatch.setattr(stage.verifier, "verify", verify)
    assert (await stage.fails("alice", RIGHT)).is_temporary
    monkeypatch.undo()
    assert not (await stage.fails("alice", RIGHT)).is_temporary


async def test_whoever_waits_is_told_to_come_later_when_the_server_takes_leave(stage: Stage) -> None:
    waits = LoginWaits()
    stage.authenticator._waits = waits
    for _ in range(2):
        await stage.fails()
    waiting = [asyncio.create_task(stage.fails()) for _ in range(3)]
    await asyncio.sleep(0)
    waits.end()
    assert [failure.is_temporary for failure in await asyncio.gather(*waiting)] == [True] * 3
    assert (await stage.fails()).is_temporary
    assert len(stage.verifier.hashes) == 2


async def test_a_store_that_is_away_is_a_temporary_failure(stage: Stage) -> None:
    stage.directory.is_broken = True
    assert (await stage.fails("alice", RIGHT)).is_temporary


async def test_a_full_queue_is_a_temporary_failure_that_is_held_against_nobody(stage: Stage) -> None:
    stage.verifier.is_full = True
    for _ in range(5):
        assert (await stage.fails("alice", RIGHT)).is_temporary
    stage.verifier.is_full = False
    await stage.authenticator.authenticate("alice", RIGHT, PEER)
    assert stage.time.slept == []


async def test_a_source_with_a_long_queue_is_turned_away_unheard() -> None:
    directory, verifier, time = OneAccountDirectory(), CountingVerifier(), Time()
    pace = own_login_pace(PaceSettings(free_per_source=1, first_delay=4.0, longest_queue=3.0))
    authenticator = PasswordAuthenticator(directory, verifier=verifier, pace=pace, clock=time.clock, waits=time.waits)
    with pytest.raises(AuthenticationFailed):
        await authenticator.authenticate("alice", WRONG, PEER)
    with pytest.raises(AuthenticationFailed) as failure:
        await authenticator.authenticate("alice", RIGHT, PEER)
    assert failure.value.is_temporary
    assert len(verifier.hashes) == 1
    authenticator.close()


async def test_the_queue_of_the_verifier_is_bounded() -> None:
    verifier = PasswordVerifier(threads=1, most_waiting=2)
    outcomes = await asyncio.gather(
        *(verifier.verify(ALICE.password_hash, RIGHT) for _ in range(3)), return_exceptions=True
    )
    assert outcomes[:2] == [True, True]
    assert isinstance(outcomes[2], TooManyWaiting)
    assert await verifier.verify(ALICE.password_hash, RIGHT)
    verifier.close()


def test_recent_logins_are_bounded() -> None:
    recent = RecentLogins(most_entries=2)
    passwords = [Secret(text) for text in ("one", "two", "three")]
    for password in passwords:
        recent.remember(ALICE, password, 0.0)
    assert [recent.knows(ALICE, password, 0.0) for password in passwords] == [False, True, True]


def test_parts_of_recent_logins_do_not_flow_into_each_other() -> None:
    recent = RecentLogins()
    recent.remember(replace(ALICE, password_hash=Secret("ab")), Secret("c"), 0.0)
    assert not recent.knows(replace(ALICE, password_hash=Secret("a")), Secret("bc"), 0.0)


def test_hashes_are_argon2id_with_the_chosen_cost_and_a_salt() -> None:
    assert ALICE.password_hash.reveal().startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert hash_password("same") != hash_password("same")


def test_composed_and_decomposed_text_is_the_same_password() -> None:
    assert is_password_of(Secret(hash_password("caf\u00e9")), Secret("cafe\u0301"))


@pytest.mark.parametrize("damaged", ["", "plain", "$argon2id$v=19$m=19456,t=2,p=1$x", "$2b$12$abcdefghijklmnopqrstuv"])
def test_a_damaged_hash_lets_nobody_in(damaged: str) -> None:
    assert not is_password_of(Secret(damaged), Secret(damaged))


@pytest.mark.parametrize("damaged", ["", "plain", "$argon2id$v=19$m=19456,t=2,p=1$x", "$2b$12$abcdefghijklmnopqrstuv"])
def test_an_account_without_a_usable_hash_costs_as_much_as_any_other(damaged: str) -> None:
    def cpu_seconds(password_hash: Secret) -> float:
        before = time.thread_time()
        is_password_of(password_hash, WRONG)
        return time.thread_time() - before

    assert cpu_seconds(Secret(damaged)) > cpu_seconds(ALICE.password_hash) / 3


def test_text_that_is_not_valid_unicode_is_just_wrong() -> None:
    assert not is_password_of(ALICE.password_hash, Secret("\ud800"))


async def test_failures_are_logged_without_the_password_and_on_one_line(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged: list[dict[str, object]] = []
    monkeypatch.setattr(events, "warning", lambda event, **values: logged.append({"event": event, **values}))
    await stage.fails("alice", WRONG)
    await stage.fails("x" * 200 + "\nlogin login=root", WRONG)
    await stage.fails("no\nbody", WRONG)
    common = {"event": Event.LOGIN_FAILED, "source": "192.0.2.7"}
    assert logged == [
        {**common, "login": "alice", "reason": "wrong password"},
        {**common, "login": "x" * 128, "reason": "no such account"},
        {**common, "login": "no?body", "reason": "no such account"},
    ]


async def test_a_password_given_again_keeps_its_hash() -> None:
    first = await hash_to_store(Secret("the same"), None)
    assert await hash_to_store(Secret("the same"), first) is first
    changed = await hash_to_store(Secret("another"), first)
    assert is_password_of(changed, Secret("another"))
