"""Wrong passwords over HTTP are slowed down by address and by name, alike whether or not there is such an account."""

from __future__ import annotations

from typing import Any

import pytest
from tests.management.conftest import basic
from tests.own_login_pace import NotedWaits, own_login_pace

from gatepost.mail.stored_directory import StoredDirectory
from gatepost.management.app import make_app
from gatepost.session.authentication import PasswordAuthenticator

Api = Any
KNOWN, UNKNOWN = "alice@example.org", "nobody@example.org"


@pytest.fixture
def slept(api: Api) -> Any:
    """How long who signs in had to wait, in seconds that do not pass."""
    waits = NotedWaits()
    authenticator = PasswordAuthenticator(StoredDirectory(api.store), own_login_pace(), waits=waits, clock=lambda: 0.0)
    object.__setattr__(api.parts, "authenticator", authenticator)  # the parts are frozen
    api.app = make_app(api.parts)
    yield waits.seconds
    authenticator.close()


async def statuses(
    api: Api, source: str, user: str, count: int, *, through_login: bool = False
) -> list[tuple[int, str]]:
    """What wrong passwords are answered with."""
    answers = []
    async with api.client(source=source, base_url="https://mail.example.org:8443") as client:
        for _ in range(count):
            if through_login:
                answer = await client.post("/api/login", json={"user": user, "password": "wrong"})
            else:
                answer = await client.get("/api/account", headers={"authorization": basic(user, "wrong")})
            answers.append((answer.status_code, answer.json()["detail"]))
    return answers


@pytest.mark.parametrize("through_login", [False, True])
async def test_known_and_unknown_names_are_answered_and_slowed_alike(
    through_login: bool, api: Api, slept: list[float]
) -> None:
    known = await statuses(api, "192.0.2.1", KNOWN, 8, through_login=through_login)
    delays, slept[:] = list(slept), []
    unknown = await statuses(api, "192.0.2.2", UNKNOWN, 8, through_login=through_login)
    assert known == unknown
    assert {status for status, _ in known} == {401}
    assert slept == delays
    assert delays[-1] > delays[0] > 0


async def test_one_name_is_slowed_from_wherever_it_is_guessed(api: Api, slept: list[float]) -> None:
    for number in range(6):
        await statuses(api, f"198.51.100.{number}", KNOWN, 1)
    assert slept


async def test_one_address_is_slowed_whatever_names_it_tries_and_turned_away_at_last(
    api: Api, slept: list[float]
) -> None:
    answers = [(await statuses(api, "192.0.2.3", f"name{number}", 1))[0] for number in range(40)]
    assert answers[0][0] == 401
    assert answers[-1][0] == 503
    assert slept


async def test_what_was_held_against_one_address_is_not_held_against_another(api: Api, slept: list[float]) -> None:
    for number in range(12):
        await statuses(api, "192.0.2.4", f"name{number}", 1)
    slept.clear()
    await statuses(api, "192.0.2.5", "somebody", 1)
    assert slept == []


async def test_the_spellings_of_a_name_tell_nothing_of_whether_there_is_such_an_account(
    api: Api, slept: list[float]
) -> None:
    delays = {}
    for number, name in enumerate(("alice", "nobody")):
        source = f"203.0.113.{number}"
        await statuses(api, source, name, 6)
        slept.clear()
        await statuses(api, source, f"{name}@example.org", 1)
        delays[name] = list(slept)
    assert delays["alice"] == delays["nobody"]
