"""I-JSON (RFC 7493), as RFC 8620 section 3.3 asks for: UTF-8, no duplicate member names, no NaN, no lone surrogates."""

from __future__ import annotations

import json
import math
import re

from gatepost.management.jmap.failure import not_json

_LONGEST_INTEGER = 309  # characters; a longer one is beyond what a double can hold (RFC 7493 section 2.2)
_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_SURROGATE = re.compile("[\ud800-\udfff]")


def parse_i_json(octets: bytes) -> object:
    """The value. Raises RequestError notJSON, which says what is wrong and where, but repeats nothing of the text."""
    try:
        text = octets.decode("utf-8")
    except UnicodeDecodeError as error:
        raise not_json(f"the request is not UTF-8 (octet {error.start})") from None
    try:
        value: object = json.loads(
            text, object_pairs_hook=_object, parse_constant=_no_constant, parse_float=_finite, parse_int=_integer
        )
        if _ESCAPED_SURROGATE.search(text):  # they cannot come otherwise: UTF-8 has none
            _refuse_surrogates(value)
    except json.JSONDecodeError as error:
        raise not_json(f"the request is not JSON (line {error.lineno}, column {error.colno})") from None
    except RecursionError:
        raise not_json("the request is nested too deeply") from None
    except ValueError as error:
        raise not_json(f"the request is not I-JSON: {error}") from None
    return value


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("an object has two members of the same name")
    return members


def _no_constant(_name: str) -> float:
    raise ValueError("NaN and Infinity are no numbers of JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number is out of range")
    return number


def _integer(text: str) -> int:
    if len(text) > _LONGEST_INTEGER:
        raise ValueError("a number is out of range")
    return int(text)


def _refuse_surrogates(value: object) -> None:
    match value:
        case str():
            if _SURROGATE.search(value):
                raise ValueError("a text has half a surrogate pair")
        case list():
            for item in value:
                _refuse_surrogates(item)
        case dict():
            for name, item in value.items():
                _refuse_surrogates(name)
                _refuse_surrogates(item)
        case _:
            pass
