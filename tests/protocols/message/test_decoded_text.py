"""What a person reads in headers and text parts."""

from __future__ import annotations

import encodings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.protocols.message.decoded_text import decoded_header, decoded_texts
from gatepost.protocols.message.structure import parse_structure


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"plain", "plain"),
        (b"=?utf-8?b?w7w=?= x", "ü x"),
        (b"=?ISO-8859-1?Q?a=FCb_c?=", "aüb c"),
        (b"=?utf-8?q?a?= =?utf-8?q?b?= c", "ab c"),
        (b"=?utf-8*de?q?=C3=BC?=", "ü"),
        (b"=?no-such?q?a?=", "a"),
        (b"=?utf-8?b?!!!?= =?broken", " =?broken"),
        ("ü".encode(), "ü"),
        (b"=?unicode_escape?q?x?=", "x"),
    ],
)
def test_encoded_words(value: bytes, text: str) -> None:
    """RFC 2047 sections 2, 6.2"""
    assert decoded_header(value) == text


@given(st.binary(max_size=60), st.sampled_from([b"q", b"b"]))
def test_any_encoded_word_gives_text(text: bytes, encoding: bytes) -> None:
    decoded_header(b"=?" + text[:10] + b"?" + encoding + b"?" + text + b"?=")


def test_names_of_charsets_that_mail_makes_up_are_not_kept() -> None:
    kept: dict[str, object] = encodings._cache  # Python remembers each name that it was asked for
    before = set(kept)
    words = b" ".join(b"=?made-up-%d?q?a?=" % number for number in range(100))
    assert decoded_header(words) == 100 * "a"
    assert set(kept) <= before | {"utf_8"}


def texts(octets: bytes) -> list[str]:
    return list(decoded_texts(octets, parse_structure(octets)))


def test_transfer_encodings_and_charsets_are_undone() -> None:
    header = b"Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: "
    assert texts(header + b"quoted-printable (x)\n\na=FCb=\n c") == ["aüb c"]
    assert texts(header + b"BASE64\n\n/PzY\n==junk") == ["üüØ"]
    assert texts(header + b"8bit\n\n\xfc") == ["ü"]


def test_headers_of_attached_messages_are_text_and_binary_parts_are_not() -> None:
    octets = (
        b"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: image/png\n\nhidden\n"
        b"--b\nContent-Type: message/rfc822\n\nSubject: inner\n\ninner body\n--b--\n"
    )
    joined = "|".join(texts(octets))
    assert "hidden" not in joined
    assert "Subject: inner" in joined
    assert "inner body" in joined
