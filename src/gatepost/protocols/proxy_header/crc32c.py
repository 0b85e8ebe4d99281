"""CRC-32C, the Castagnoli polynomial (RFC 4960 appendix B), which PP2_TYPE_CRC32C uses. zlib only has the other one."""

from __future__ import annotations

_REFLECTED_POLYNOMIAL = 0x82F63B78


def _table_entry(octet: int) -> int:
    for _ in range(8):
        octet = (octet >> 1) ^ (_REFLECTED_POLYNOMIAL if octet & 1 else 0)
    return octet


_TABLE = tuple(_table_entry(octet) for octet in range(256))


def crc32c(data: bytes) -> int:
    """The checksum of some octets; meant for a header of a few hundred of them.

    >>> hex(crc32c(b"123456789"))
    '0xe3069283'
    """
    crc = 0xFFFFFFFF
    for octet in data:
        crc = (crc >> 8) ^ _TABLE[(crc ^ octet) & 0xFF]
    return crc ^ 0xFFFFFFFF
