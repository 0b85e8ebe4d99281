"""I-JSON (RFC 7493): no member twice, no NaN, no number beyond a double, no half surrogate pair, no noncharacter. Pure.

Read by the API (`management.jmap.i_json`) and by plan files (`config.plan_file`), which tell the failures in their own words.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter

_LONGEST_INTEGER = 309  # characters; a longer one is beyond what a double can hold (RFC 7493 section 2.2)
_ESCAPED_SUSPECT = re.compile(r"\\u(?:[dD][89a-fA-F]|[fF][dD][dDeE]|[fF]{3}[eEfF])")  # a surrogate or a noncharacter
_NONCHARACTER = re.compile(  # the 66 of Unicode, in UTF-8: U+FDD0 to U+FDEF, and the last two of each plane
    rb"\xef(?:\xb7[\x90-\xaf]|\xbf[\xbe\xbf])|[\xf0-\xf4][\x8f\x9f\xaf\xbf]\xbf[\xbe\xbf]"
)
_OF_NONCHARACTERS = (b"\xef\xb7", b"\xbf\xbe", b"\xbf\xbf")  # looking for these takes a fifth of the time
_SHOWN = 40  # characters of what is wrong


class UnfitJsonError(ValueError):
    """JSON, but not I-JSON. The message repeats nothing of the text; `found` is what is wrong in it, shortened."""

    def __init__(self, words: str, found: str = "") -> None:
        super().__init__(words)
        self.found = found if len(found) <= _SHOWN else f"{found[:_SHOWN]}…"


def parse_i_json(text: str) -> object:
    """The value. Raises json.JSONDecodeError, UnfitJsonError."""
    try:
        value: object = _DECODER.decode(text)
        _refuse_unfit_characters(text, value)
    except RecursionError:
        raise UnfitJsonError("it is nested too deeply") from None
    except UnicodeEncodeError:
        raise UnfitJsonError("a text has half a surrogate pair") from None
    return value


def _refuse_unfit_characters(text: str, value: object) -> None:
    """RFC 7493 section 2.1. Raises UnicodeEncodeError for a surrogate, UnfitJsonError for a noncharacter."""
    if text.isascii() and "\\u" not in text:
        return
    octets = text.encode()  # what has been read of standard input may have half pairs that are not escaped
    if _ESCAPED_SUSPECT.search(text):
        octets = json.dumps(value, ensure_ascii=False).encode()
    if any(each in octets for each in _OF_NONCHARACTERS) and _NONCHARACTER.search(octets):
        raise UnfitJsonError("a text has a code point that is no character")


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        counts = Counter(name for name, _ in pairs)
        double = next(name for name, count in counts.items() if count > 1)
        raise UnfitJsonError("an object has two members of the same name", double)
    return members


def _no_constant(name: str) -> float:
    raise UnfitJsonError("NaN and Infinity are no numbers of JSON", name)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise UnfitJsonError("a number is out of range", text)
    return number


def _integer(text: str) -> int:
    if len(text) > _LONGEST_INTEGER:
        raise UnfitJsonError("a number is out of range", text)
    return int(text)


_DECODER = json.JSONDecoder(  # json.loads would make one for each call
    object_pairs_hook=_object, parse_constant=_no_constant, parse_float=_finite, parse_int=_integer
)
