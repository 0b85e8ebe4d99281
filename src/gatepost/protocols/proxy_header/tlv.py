"""The type-length-value vectors behind the addresses of a version 2 header (proxy-protocol.txt section 2.2).

Called by `version2` alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from enum import IntEnum

from gatepost.protocols.proxy_header.crc32c import crc32c
from gatepost.protocols.proxy_header.header import (
    Extensions,
    MalformedHeader,
    ProxyFailure,
    SslInformation,
    Tlv,
)


class Pp2Type(IntEnum):
    """Types of vectors, under the specification's names; those from SSL_VERSION on stand inside SSL."""

    ALPN = 0x01
    AUTHORITY = 0x02
    CRC32C = 0x03
    NOOP = 0x04
    UNIQUE_ID = 0x05
    SSL = 0x20
    SSL_VERSION = 0x21
    SSL_CN = 0x22
    SSL_CIPHER = 0x23
    SSL_SIG_ALG = 0x24
    SSL_KEY_ALG = 0x25
    NETNS = 0x30


MAX_UNIQUE_ID = 128  # octets

_SINGLE = frozenset((Pp2Type.ALPN, Pp2Type.AUTHORITY, Pp2Type.CRC32C, Pp2Type.UNIQUE_ID, Pp2Type.SSL, Pp2Type.NETNS))


def decode_extensions(header: bytes, start: int) -> Extensions:
    """The vectors of a whole `header` from octet `start` to its end, the checksum verified. Raises MalformedHeader."""
    found = Extensions()
    seen: set[int] = set()
    other: list[Tlv] = []
    for kind, position, length in _vectors(header, start):
        if kind in _SINGLE and kind in seen:
            raise MalformedHeader(f"TLV 0x{kind:02x} is there twice")
        seen.add(kind)
        value = header[position : position + length]
        match kind:
            case Pp2Type.ALPN:
                found = replace(found, alpn=value)
            case Pp2Type.AUTHORITY:
                found = replace(found, authority=_text(value))
            case Pp2Type.CRC32C:
                _verify_checksum(header, position, length)
                found = replace(found, has_checksum=True)
            case Pp2Type.NOOP:
                pass
            case Pp2Type.UNIQUE_ID:
                if length > MAX_UNIQUE_ID:
                    raise MalformedHeader(f"the unique id has {length} octets, {MAX_UNIQUE_ID} are allowed")
                found = replace(found, unique_id=value)
            case Pp2Type.SSL:
                found = replace(found, ssl=_decode_ssl(value))
            case Pp2Type.NETNS:
                found = replace(found, network_namespace=_text(value))
            case _:
                other.append(Tlv(kind, value))
    return replace(found, other=tuple(other))


def encode_extensions(extensions: Extensions) -> bytes:
    """The vectors, without the checksum: that is added when the whole header is known."""
    parts = [
        _encode_optional(Pp2Type.ALPN, extensions.alpn),
        _encode_optional(Pp2Type.AUTHORITY, _octets(extensions.authority)),
        _encode_optional(Pp2Type.UNIQUE_ID, extensions.unique_id),
        _encode_optional(Pp2Type.SSL, None if extensions.ssl is None else _encode_ssl(extensions.ssl)),
        _encode_optional(Pp2Type.NETNS, _octets(extensions.network_namespace)),
    ]
    parts += [encode_tlv(tlv.type, tlv.value) for tlv in extensions.other]
    return b"".join(parts)


def encode_tlv(kind: int, value: bytes) -> bytes:
    """One vector."""
    return bytes((kind,)) + len(value).to_bytes(2, "big") + value


def _vectors(data: bytes, start: int) -> Iterator[tuple[int, int, int]]:
    """Type, position of the value, length of the value."""
    position = start
    while position < len(data):
        if len(data) - position < 3:
            raise MalformedHeader("a TLV is cut off")
        length = int.from_bytes(data[position + 1 : position + 3], "big")
        if position + 3 + length > len(data):
            raise MalformedHeader("a TLV is longer than the header")
        yield data[position], position + 3, length
        position += 3 + length


def _verify_checksum(header: bytes, position: int, length: int) -> None:
    """Section 2.2.4: the sum is taken over the whole header with the field itself filled with zeros."""
    if length != 4:
        raise MalformedHeader("the CRC32C does not have 4 octets")
    told = int.from_bytes(header[position : position + 4], "big")
    if crc32c(header[:position] + bytes(4) + header[position + 4 :]) != told:
        raise MalformedHeader("the CRC32C is wrong", ProxyFailure.BAD_CHECKSUM)


def _decode_ssl(value: bytes) -> SslInformation:
    if len(value) < 5:
        raise MalformedHeader("the SSL TLV is cut off")
    texts: dict[int, str] = {}
    other: list[Tlv] = []
    for kind, position, length in _vectors(value, 5):
        part = value[position : position + length]
        if kind in texts:
            raise MalformedHeader(f"TLV 0x{kind:02x} is there twice within SSL")
        if kind in _SSL_TEXTS:
            texts[kind] = _text(part)
        else:
            other.append(Tlv(kind, part))
    return SslInformation(
        client_flags=value[0],
        verify=int.from_bytes(value[1:5], "big"),
        version=texts.get(Pp2Type.SSL_VERSION),
        common_name=texts.get(Pp2Type.SSL_CN),
        cipher=texts.get(Pp2Type.SSL_CIPHER),
        signature_algorithm=texts.get(Pp2Type.SSL_SIG_ALG),
        key_algorithm=texts.get(Pp2Type.SSL_KEY_ALG),
        other=tuple(other),
    )


_SSL_TEXTS: dict[int, Callable[[SslInformation], str | None]] = {
    Pp2Type.SSL_VERSION: lambda ssl: ssl.version,
    Pp2Type.SSL_CN: lambda ssl: ssl.common_name,
    Pp2Type.SSL_CIPHER: lambda ssl: ssl.cipher,
    Pp2Type.SSL_SIG_ALG: lambda ssl: ssl.signature_algorithm,
    Pp2Type.SSL_KEY_ALG: lambda ssl: ssl.key_algorithm,
}


def _encode_ssl(ssl: SslInformation) -> bytes:
    fixed = bytes((ssl.client_flags,)) + ssl.verify.to_bytes(4, "big")
    texts = [_encode_optional(kind, _octets(text_of(ssl))) for kind, text_of in _SSL_TEXTS.items()]
    return fixed + b"".join(texts) + b"".join(encode_tlv(tlv.type, tlv.value) for tlv in ssl.other)


def _encode_optional(kind: int, value: bytes | None) -> bytes:
    return b"" if value is None else encode_tlv(kind, value)


def _text(value: bytes) -> str:
    # Names out of certificates are not always UTF-8, whatever the specification says; no client is turned away for it.
    return value.decode("utf-8", "backslashreplace")


def _octets(text: str | None) -> bytes | None:
    return None if text is None else text.encode()
