"""Waiting because of failed logins; the time is a number that the test turns."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from gatepost.session.login_pace import LoginPace, PaceSettings

HERE = ip_address("192.0.2.7")
THERE = ip_address("198.51.100.9")


def pace(**changes: float) -> LoginPace:
    settings = {"free_per_source": 100, "free_per_name": 3, **changes}
    return LoginPace(PaceSettings(**settings))  # type: ignore[arg-type]  # whole numbers stay whole


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


@pytest.mark.parametrize(("others", "wait"), [(9, 0.5), (10, 0.0)])
def test_the_table_is_bounded_and_drops_what_failed_longest_ago(others: int, wait: float) -> None:
    slowed = pace(free_per_name=1, most_records=10)
    fail(slowed, 1)
    for number in range(others):
        fail(slowed, 1, name=f"other{number}")
    assert slowed.turn(THERE, "alice", 0.0) == wait
