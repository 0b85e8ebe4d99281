"""Wire values compared and patched: the same value in another spelling is no change.

`"1m"` and 60000, a list and a set, `[0::0]:25` and `[::]:25` are the same. A value that cannot be understood is left
as it stands, for the server to refuse in its own words. Pure. Called by `config.reconcile` and the commands.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from ipaddress import ip_address
from typing import Any

from gatepost.config.object_shape import PropertyShape
from gatepost.values.duration import parse_duration
from gatepost.values.ip_mask import IpMask
from gatepost.values.socket_address import SocketAddress

_CANONICAL_TEXT: dict[str, Callable[[str], str]] = {
    "socketAddress": lambda text: str(SocketAddress.parse(text)),
    "ipNetwork": lambda text: str(IpMask.parse(text)),
    "ipAddress": lambda text: str(ip_address(text)),
}


def canonical_text(shape: PropertyShape, text: str) -> str:
    """The text, or the member of a set, as the server would store it."""
    if shape.choices:
        return next((choice for choice in shape.choices if choice.casefold() == text.casefold()), text)
    if shape.is_lower_case:
        return text.lower()
    canonical = _CANONICAL_TEXT.get(shape.format or "")
    if canonical is None:
        return text
    try:
        return canonical(text)
    except ValueError:
        return text


def canonical_value(shape: PropertyShape, value: Any) -> Any:
    """The value as the server would give it back.

    >>> canonical_value(PropertyShape("tlsTimeout", "number", "duration"), "1m")
    60000
    """
    if shape.is_set and isinstance(value, list) and all(isinstance(member, str) for member in value):
        return {canonical_text(shape, member): True for member in value}
    if shape.is_set and isinstance(value, Mapping):
        return {canonical_text(shape, member): present for member, present in value.items()}
    if shape.is_duration and isinstance(value, str):
        try:
            return parse_duration(value)
        except ValueError:
            return value
    return canonical_text(shape, value) if isinstance(value, str) else value


def split_pointer(key: str) -> list[str]:
    """The parts of a key of a PatchObject (RFC 8620 section 5.3; RFC 6901 for `~1` and `~0`).

    >>> split_pointer("overrideProxyTrustedNetworks/10.0.0.0~18")
    ['overrideProxyTrustedNetworks', '10.0.0.0/8']
    """
    return [part.replace("~1", "/").replace("~0", "~") for part in key.split("/")]


def join_pointer(parts: Sequence[str]) -> str:
    """The inverse of `split_pointer`."""
    return "/".join(part.replace("~", "~0").replace("/", "~1") for part in parts)


def patched(value: Any, path: Sequence[str], replacement: Any) -> Any:
    """A copy of `value` with what stands at `path` replaced, or removed where the replacement is None."""
    if not path:
        return replacement
    copy = dict(value) if isinstance(value, Mapping) else {}
    if replacement is None and len(path) == 1:
        copy.pop(path[0], None)
    else:
        copy[path[0]] = patched(copy.get(path[0]), path[1:], replacement)
    return copy


def are_same(left: Any, right: Any) -> bool:
    """Whether two canonical values name the same thing: texts without regard to case, as the server's names are."""
    if isinstance(left, str) and isinstance(right, str):
        return left.casefold() == right.casefold()
    return bool(left == right) and isinstance(left, bool) == isinstance(right, bool)


def is_made_by_server(item: Mapping[str, Any]) -> bool:
    """Whether the server made the object for itself and makes it again: its self-signed certificate. No plan has a say in it."""
    return item.get("isSelfSigned") is True


def matches_filter(
    shapes: Mapping[str, PropertyShape], filter_: Mapping[str, Any], candidate: Mapping[str, Any]
) -> bool:
    """Whether an object in canonical form has all that the filter asks for (RFC 8620 section 5.5, with its operators).

    A property must be equal; a set matches one of its members too.
    """
    conditions = filter_.get("conditions")
    if isinstance(conditions, list):
        results = [matches_filter(shapes, condition, candidate) for condition in conditions]
        match filter_.get("operator"):
            case "AND":
                return all(results)
            case "OR":
                return any(results)
            case _:
                return not any(results)
    return all(_matches(shapes.get(name), wanted, candidate.get(name)) for name, wanted in filter_.items())


def _matches(shape: PropertyShape | None, wanted: Any, present: Any) -> bool:
    if shape is None:  # the id
        return bool(wanted == present)
    if shape.is_set and isinstance(wanted, str):
        return canonical_text(shape, wanted) in (present or {})
    return are_same(canonical_value(shape, wanted), present)
