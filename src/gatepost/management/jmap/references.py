"""Result references (RFC 8620 section 3.7): arguments that are taken out of an earlier answer of the same request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gatepost.management.jmap.failure import MethodError, invalid_arguments
from gatepost.management.jmap.request import Invocation


def resolve_references(arguments: Mapping[str, Any], responses: Sequence[Invocation]) -> dict[str, Any]:
    """The arguments with every `#name` replaced. Raises MethodError invalidArguments, invalidResultReference."""
    resolved: dict[str, Any] = {}
    for name, value in arguments.items():
        if not name.startswith("#"):
            resolved[name] = value
        elif name[1:] in arguments:
            raise invalid_arguments(f"{name[1:]} is given twice, as itself and as a result reference")
        else:
            resolved[name[1:]] = _resolve(value, responses)
    return resolved


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
    if isinstance(value, list) and is_index and int(part) < len(value):
        return value[int(part)]
    raise _unresolved("the path leads to nothing")


def _unescaped(part: str) -> str:
    return part.replace("~1", "/").replace("~0", "~")


def _unresolved(words: str) -> MethodError:
    return MethodError("invalidResultReference", f"the result reference cannot be resolved: {words}")
