"""What the log says about octets that are no PROXY header."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.protocols.proxy_header.crc32c import crc32c
from gatepost.protocols.proxy_header.describe import describe


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "nothing"),
        (b"EHLO mail.example.org\r\n", "EHLO"),
        (b"GET /?token=secret HTTP/1.1\r\n", "GET"),
        (b"PASS hunter2\r\n", "PASS"),
        (b"a1 login alice hunter2\r\n", "a1 LOGIN"),
        (b"\x16\x03\x01\x02\x00\x01", "a TLS ClientHello"),
        (b"\x00\xffabc", "octets 00ff616263"),
        (b"\r\nEHLO x\r\n", "octets 0d0a45484c4f2078"),
        (b"x" * 17, "x" * 16 + "..."),
        (b"x" * 16, "x" * 16),
    ],
)
def test_words_for_what_was_seen(data: bytes, words: str) -> None:
    assert describe(data) == words


@given(st.binary(max_size=400))
def test_words_are_short_and_printable(data: bytes) -> None:
    words = describe(data)
    assert words.isascii()
    assert words.isprintable()
    assert 0 < len(words) <= 40


def test_crc32c_check_values_of_rfc_3720_appendix_b_4() -> None:
    assert crc32c(b"") == 0
    assert crc32c(bytes(32)) == 0x8A9136AA
    assert crc32c(b"\xff" * 32) == 0x62A8AB43
    assert crc32c(bytes(range(32))) == 0x46DD794E
