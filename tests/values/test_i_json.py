"""I-JSON (RFC 7493): what is refused, and that the message repeats nothing of it."""

from __future__ import annotations

import json

import pytest

from gatepost.values.i_json import UnfitJsonError, parse_i_json


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"secret":1,"secret":2}', "secret"),
        ('[{"b":{"a":1,"x":2,"a":3}}]', "a"),
        ("{" + ",".join(f'"m{number}":1' for number in [*range(100_000), 99_999]) + "}", "m99999"),
        ("[NaN]", "NaN"),
        ("[-Infinity]", "-Infinity"),
        ("[1e999]", "1e999"),
        ("7" * 310, "7" * 40 + "…"),
        (r'["\ud800"]', ""),
        (r'{"\udfff":1}', ""),
        ('["\ud800"]', ""),
        (r'["\ufdd0"]', ""),
        (r'{"\uFFFE":1}', ""),
        ('["\uffff"]', ""),
        ('["\U0010ffff"]', ""),
        ('["\ufdef"]', ""),
        ('["\U0001fffe"]', ""),
        ('["\U000effff"]', ""),
        (r'["\ud83f\udffe"]', ""),
        ("[" * 100_000, ""),
    ],
)
def test_what_two_readers_could_take_for_different_things_is_refused(text: str, found: str) -> None:
    with pytest.raises(UnfitJsonError) as caught:
        parse_i_json(text)
    assert caught.value.found == found
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        '{"a":[1,-2.5,true,null,"é"]}',
        r'"\ud83d\ude00"',
        "9" * 309,
        '"\U0001f600"',
        r'"\ufffd\\ufffe"',
        '"\ufdcf\ufdf0\ufffd"',
        '"\uefff\U0001bfff\U0007bffe\uffbf"',  # octets of noncharacters, in other places
    ],
)
def test_everything_else_is_as_it_stands(text: str) -> None:
    assert parse_i_json(text) == json.loads(text)


def test_what_is_no_json_at_all_is_told_with_its_place() -> None:
    with pytest.raises(json.JSONDecodeError) as caught:
        parse_i_json('{"a": }')
    assert caught.value.colno == 7
