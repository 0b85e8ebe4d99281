"""Decoding a PROXY header of either version. Called by the transport with what a trusted peer has sent so far."""

from __future__ import annotations

from gatepost.protocols.proxy_header.header import V2_SIGNATURE, Decoded, Incomplete, MalformedHeader, ProxyFailure
from gatepost.protocols.proxy_header.version1 import V1_PREFIX, V1_SHORTEST, decode_version1
from gatepost.protocols.proxy_header.version2 import decode_version2

DEFAULT_LIMIT = 4096  # octets; two UNIX paths and every TLV that a proxy of today sends take less than 1 KiB


def decode(data: bytes, *, limit: int = DEFAULT_LIMIT) -> Decoded | Incomplete:
    """The header at the front of `data`; octets behind it are not looked at.

    `limit` is the most octets that a version 2 header may have (version 1 never has more than 107). Raises
    MalformedHeader as soon as it is certain that no acceptable header will come of it.

    >>> decode(b"PROXY TCP4 192.0.2.7 192.0.2.1 4001 25\\r\\nEHLO").length
    40
    """
    if data[: len(V2_SIGNATURE)] == V2_SIGNATURE[: len(data)]:
        return decode_version2(data, limit) if data else Incomplete(V1_SHORTEST)
    if data[: len(V1_PREFIX)] == V1_PREFIX[: len(data)]:
        return decode_version1(data)
    raise MalformedHeader("no PROXY header", ProxyFailure.MISSING)
