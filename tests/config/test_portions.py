"""Steps are sent in as few requests as the limits of the server allow."""

from __future__ import annotations

from typing import Any

import pytest

from gatepost.config.plan_file import PlanLine
from gatepost.config.portions import RequestLimits, portions
from gatepost.config.reconcile import Action, Step


def step(number: int, value: dict[str, Any]) -> Step:
    return Step(Action.CREATE, PlanLine("plan", number), "Account", f"#a{number}", f"a{number}", value)


def limits(**told: int) -> RequestLimits:
    return RequestLimits.told_by(told.get)


@pytest.mark.parametrize(
    ("told", "lengths"),
    [
        ({}, [7]),
        ({"maxObjectsInSet": 3}, [3, 3, 1]),
        ({"maxObjectsInSet": 0}, [1] * 7),
        ({"maxSizeRequest": 4096 + 3 * 30}, [2, 2, 2, 1]),
        ({"maxValuesInRequest": 64 + 2 * 14}, [2, 2, 2, 1]),
        ({"maxValuesInRequest": 1}, [1] * 7),
    ],
)
def test_nothing_is_left_out_and_no_portion_goes_beyond_a_limit(told: dict[str, int], lengths: list[int]) -> None:
    steps = [step(number, {"aliases": [1, 2, 3, 4, 5, 6, 7, 8, 9]}) for number in range(7)]
    found = list(portions(steps, limits(**told)))
    assert [len(each) for each in found] == lengths
    assert [each for portion in found for each in portion] == steps


def test_where_there_is_nothing_to_do_nothing_is_sent() -> None:
    assert list(portions([], limits())) == []


def test_octets_are_those_of_utf_8_and_not_of_escapes() -> None:
    steps = [step(number, {"description": "ü" * 500}) for number in range(4)]
    assert [len(each) for each in portions(steps, limits(maxSizeRequest=4096 + 2100))] == [2, 2]
