"""Waiting because of failed logins; the time is a number that the test turns."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from tests.own_login_pace import own_login_pace

from gatepost.session.login_pace import Attempt, Full, LoginPace, PaceSettings
from gatepost.transport.counter_page import CounterPage

HERE = ip_address("192.0.2.7")
THERE = ip_address("198.51.100.9")


def pace(**changes: float) -> LoginPace:
    settings = {"free_per_source": 100, "free_per_name": 3, **changes}
    return own_login_pace(PaceSettings(**settings))  # type: ignore[arg-type]  # whole numbers stay whole


def fail(pace: LoginPace, times: int, name: str = "alice", source: str = "192.0.2.7") -> None:
    for _ in range(times):
        pace.failed(ip_address(source), name, 0.0)


@pytest.mark.parametrize(("failures", "wait"), [(0, 0.0), (2, 0.0), (3, 0.5), (4, 1.0), (5, 2.0), (6, 4.0), (50, 4.0)])
def test_the_wait_grows_from_nothing_to_a_few_seconds(failures: int, wait: float) -> None:
    slowed = pace()
    fail(slowed, failures)
    assert slowed.turn(THERE, "alice", 0.0) == wait
    assert slowed.turn(THERE, "bob", 0.0) == 0.0


def test_time_that_has_passed_since_the_failure_counts() -> None:
    slowed = pace()
    fail(slowed, 4)
    assert slowed.turn(THERE, "alice", 0.75) == 0.25


def test_connections_of_one_source_take_turns_and_are_turned_away_when_too_many_wait() -> None:
    slowed = pace(free_per_source=1, longest_delay=4.0, longest_queue=10.0, first_delay=4.0)
    fail(slowed, 1)
    waits = [slowed.turn(HERE, f"name{number}", 0.0) for number in range(4)]
    assert waits == [4.0, 8.0, None, None]
    assert slowed.turn(THERE, "name0", 0.0) == 0.0


def test_many_waiting_logins_of_one_name_never_turn_its_owner_away() -> None:
    slowed = pace()
    fail(slowed, 20)
    assert [slowed.turn(ip_address(f"198.51.100.{number}"), "alice", 0.0) for number in range(50)] == [4.0] * 50


def test_a_success_is_forgiveness_for_name_and_source() -> None:
    slowed = pace(free_per_source=3)
    fail(slowed, 9)
    slowed.succeeded(HERE, "alice")
    assert slowed.turn(HERE, "alice", 0.0) == 0.0


def test_old_failures_are_forgotten() -> None:
    slowed = pace(free_per_name=1, first_delay=4.0, forget_after=2.0)
    fail(slowed, 5)
    assert slowed.turn(THERE, "alice", 2.0) == 2.0
    assert slowed.turn(THERE, "alice", 2.1) == 0.0


def test_addresses_of_one_ipv6_subnet_are_one_source_and_mapped_ones_are_ipv4() -> None:
    slowed = pace(free_per_source=1)
    fail(slowed, 1, source="2001:db8:0:1::1")
    fail(slowed, 1, source="::ffff:192.0.2.7")
    assert slowed.turn(ip_address("2001:db8:0:1:ffff::2"), "x", 0.0) == 0.5
    assert slowed.turn(ip_address("2001:db8:0:2::1"), "x", 0.0) == 0.0
    assert slowed.turn(HERE, "x", 0.0) == 0.5


def test_two_workers_judge_a_client_as_one() -> None:
    page = CounterPage.create(2)
    here, there = (LoginPace(page, row, "passwords", PaceSettings()) for row in range(2))
    for number in range(4):
        (here, there)[number % 2].failed(HERE, "alice", 0.0)
    assert [each.turn(THERE, "alice", 0.0) for each in (here, there)] == [1.0, 2.0]
    there.succeeded(HERE, "alice")
    assert here.turn(HERE, "alice", 0.0) == 0.0
    page.close()


def test_what_is_under_way_at_another_worker_takes_places_until_that_worker_dies() -> None:
    page = CounterPage.create(2)
    here, there = (LoginPace(page, row, "passwords", PaceSettings()) for row in range(2))
    assert all(isinstance(there.begin(THERE, "alice", 0.0), Attempt) for _ in range(3))
    assert here.begin(HERE, "alice", 0.0) is Full.NAME
    assert all(isinstance(there.begin(HERE, f"name{number}", 0.0), Attempt) for number in range(10))
    assert here.begin(HERE, "bob", 0.0) is Full.SOURCE
    page.clear_row(1)
    assert isinstance(here.begin(HERE, "alice", 0.0), Attempt)
    page.close()


def test_kinds_of_logins_are_counted_apart() -> None:
    page = CounterPage.create(1)
    passwords, api_keys = (LoginPace(page, 0, kind, PaceSettings(free_per_source=1)) for kind in ("passwords", "keys"))
    passwords.failed(HERE, "alice", 0.0)
    assert api_keys.turn(HERE, "alice", 0.0) == 0.0
    assert passwords.turn(HERE, "alice", 0.0) == 0.5
    page.close()


def test_a_name_that_is_an_address_and_text_that_is_no_unicode_are_names_like_others() -> None:
    slowed = pace(free_per_source=1)
    slowed.failed(HERE, "\ud800", 0.0)
    assert slowed.turn(THERE, str(HERE), 0.0) == 0.0
    fail(slowed, 2, name="\ud800", source=str(THERE))
    assert slowed.turn(ip_address("203.0.113.1"), "\ud800", 0.0) == 0.5
