"""What HTTP proxies say of the client that they speak for: `Forwarded` (RFC 7239), `X-Forwarded-For`, `X-Forwarded-Proto`. Pure.

Each proxy adds to the right of what it was sent. So the fields are read from the right, as long as whoever has said it is
trusted; what stands further left anybody may have made up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_address

from gatepost.values.ip_mask import IpAddress, unmapped

FORWARDED, FORWARDED_FOR, FORWARDED_PROTO = "forwarded", "x-forwarded-for", "x-forwarded-proto"


class ContradictingHeaders(ValueError):
    """`Forwarded` and `X-Forwarded-For` name different clients: one of them was made up by the client."""


@dataclass(frozen=True, slots=True)
class ForwardedClient:
    """`is_https`: whether a trusted proxy says that the client came to it by HTTPS."""

    address: IpAddress
    is_https: bool


@dataclass(frozen=True, slots=True)
class _Hop:
    """What one proxy says: None for what it does not tell."""

    client: IpAddress | None
    scheme: str | None


def forwarded_client(
    peer: IpAddress, header: Callable[[str], Sequence[str]], is_trusted: Callable[[IpAddress], bool]
) -> ForwardedClient | None:
    """Whom the peer speaks for; None where it speaks for itself. `header(name)` gives the values of all fields of that name.
    Raises ContradictingHeaders."""
    if not is_trusted(peer):
        return None
    standard = [_hop_of_element(element) for element in _split(",".join(header(FORWARDED)), ",")]
    usual = list(_hops_of_lists(",".join(header(FORWARDED_FOR)), ",".join(header(FORWARDED_PROTO))))
    found = [_client(peer, hops, is_trusted) for hops in (standard, usual) if hops]
    if len({client.address for client in found}) > 1:
        raise ContradictingHeaders
    return ForwardedClient(found[0].address, any(client.is_https for client in found)) if found else None


def _client(peer: IpAddress, hops: list[_Hop], is_trusted: Callable[[IpAddress], bool]) -> ForwardedClient:
    """The last hop that a trusted proxy tells of. One that does not say who its client is ends the way."""
    client, scheme = peer, None
    for hop in reversed(hops):
        scheme = hop.scheme
        if hop.client is None:
            break
        client = hop.client
        if not is_trusted(client):
            break
    return ForwardedClient(client, scheme == "https")


def _hop_of_element(element: str) -> _Hop:
    """RFC 7239 section 4: `for=192.0.2.43;proto=https`, `for="[2001:db8::1]:4711"`, `for=unknown`, `for=_hidden`."""
    values: dict[str, str] = {}
    for pair in _split(element, ";"):
        name, _, value = pair.partition("=")
        values[name.strip().lower()] = _unquoted(value.strip())
    return _Hop(_address(values.get("for", "")), values.get("proto", "").lower() or None)


def _hops_of_lists(addresses: str, schemes: str) -> Iterator[_Hop]:
    """Most proxies say how the client came once, or replace what stood there: then it holds for all."""
    named, told = _split(addresses, ","), [scheme.lower() for scheme in _split(schemes, ",")]
    for number, text in enumerate(named):
        scheme = told[number] if len(told) == len(named) else told[-1] if told else None
        yield _Hop(_address(text), scheme)


def _split(text: str, separator: str) -> list[str]:
    """The parts between separators that do not stand in quotation marks; empty ones left out."""
    parts, start, is_quoted, is_escaped = [], 0, False, False
    for position, character in enumerate(text):
        if is_escaped:
            is_escaped = False
        elif character == "\\" and is_quoted:
            is_escaped = True
        elif character == '"':
            is_quoted = not is_quoted
        elif character == separator and not is_quoted:
            parts.append(text[start:position])
            start = position + 1
    parts.append(text[start:])
    return [part.strip() for part in parts if part.strip()]


def _unquoted(value: str) -> str:
    is_quoted = len(value) > 1 and value[0] == value[-1] == '"'
    return value[1:-1].replace("\\", "") if is_quoted else value


def _address(text: str) -> IpAddress | None:
    """The address in `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:80`; None for anything else."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        return unmapped(ip_address(text))
    except ValueError:
        return None
