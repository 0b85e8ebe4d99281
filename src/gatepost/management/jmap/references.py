"""Result references (RFC 8620 section 3.7): arguments that are taken out of an earlier answer of the same request."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from gatepost.management.jmap.failure import MethodError, invalid_arguments
from gatepost.management.jmap.request import Invocation

_BAD_ESCAPE = re.compile(r"~(?![01])")  # RFC 6901 section 3
_MOST_DIGITS = 18  # of an index; Python refuses to read a number of thousands of them


class ResultReferences:
    """Those of one request. What all of them bring in has a bound, because each can take up twice what the one before it
    did: a few dozen calls of Core/echo would make an answer that no memory holds."""

    def __init__(self, most_octets: int) -> None:
        self._most_octets = most_octets
        self._octets = 0

    def resolve(self, arguments: Mapping[str, Any], responses: Sequence[Invocation]) -> dict[str, Any]:
        """The arguments with every `#name` replaced. Raises MethodError invalidArguments, invalidResultReference."""
        resolved: dict[str, Any] = {}
        for name, value in arguments.items():
            if not name.startswith("#"):
                resolved[name] = value
            elif name[1:] in arguments:
                raise invalid_arguments(f"{name[1:]} is given twice, as itself and as a result reference")
            else:
                resolved[name[1:]] = self._bounded(_resolve(value, responses))
        return resolved

    def _bounded(self, value: Any) -> Any:
        self._octets += _least_size(value, self._most_octets - self._octets)
        if self._octets > self._most_octets:
            raise _unresolved(f"all of a request together may bring in {self._most_octets} octets")
        return value


def _resolve(reference: object, responses: Sequence[Invocation]) -> Any:
    match reference:
        case {"resultOf": str() as call_id, "name": str() as name, "path": str() as path}:
            pass
        case _:
            raise _unresolved("it needs the members resultOf, name and path")
    response = next((each for each in responses if each.call_id == call_id), None)
    if response is None or response.name != name:
        raise _unresolved("there is no earlier response of that call and that name")
    if path and not path.startswith("/"):
        raise _unresolved("the path must begin with /")
    if _BAD_ESCAPE.search(path):
        raise _unresolved("in a path, ~ is written ~0 and / is written ~1")
    return _follow(response.arguments, [_unescaped(part) for part in path.split("/")[1:]])


def _follow(value: Any, path: list[str]) -> Any:
    """RFC 6901, and `*` for every item of an array; arrays that `*` leads to are joined into one."""
    for position, part in enumerate(path):
        if isinstance(value, list) and part == "*":
            found: list[Any] = []
            for item in value:
                result = _follow(item, path[position + 1 :])
                if isinstance(result, list):
                    found += result
                else:
                    found.append(result)
            return found
        value = _step(value, part)
    return value


def _step(value: Any, part: str) -> Any:
    if isinstance(value, dict) and part in value:
        return value[part]
    is_index = part.isascii() and part.isdecimal() and (part == "0" or not part.startswith("0"))
    if isinstance(value, list) and is_index and len(part) <= _MOST_DIGITS and int(part) < len(value):
        return value[int(part)]
    raise _unresolved("the path leads to nothing")


def _least_size(value: Any, enough: int) -> int:
    """Octets that the value takes up as JSON, at least; not counted further once they are more than `enough`."""
    size, left = 0, [value]
    while left and size <= enough:
        match left.pop():
            case str() as text:
                size += len(text) + 2
            case list() as items:
                size += 1 + len(items)
                left += items
            case Mapping() as members:
                size += 1 + sum(len(name) + 4 for name in members)
                left += members.values()
            case _:
                size += 1
    return size


def _unescaped(part: str) -> str:
    return part.replace("~1", "/").replace("~0", "~")


def _unresolved(words: str) -> MethodError:
    return MethodError("invalidResultReference", f"the result reference cannot be resolved: {words}")
