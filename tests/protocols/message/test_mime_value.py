"""Values of MIME fields with parameters."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.protocols.message.mime_value import MimeValue, parse_mime_value


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"text/plain", MimeValue(b"text", b"plain")),
        (b"attachment", MimeValue(b"attachment")),
        (b"Text / Plain ; A = b", MimeValue(b"Text", b"Plain", ((b"A", b"b"),))),
        (b'a/b; c="d;\\"e"; f=g', MimeValue(b"a", b"b", ((b"c", b'd;"e'), (b"f", b"g")))),
        (b"a/b (x (y) \\)) ; (z) c (z) = (z) d (z)", MimeValue(b"a", b"b", ((b"c", b"d"),))),
        (b"a/b; name=my file.png; d=e", MimeValue(b"a", b"b", ((b"name", b"my file.png"), (b"d", b"e")))),
        (b"a/b;;; c=d;", MimeValue(b"a", b"b", ((b"c", b"d"),))),
        (b"a/b; junk; c=d", MimeValue(b"a", b"b", ((b"c", b"d"),))),
        (b'a/b; c="open', MimeValue(b"a", b"b", ((b"c", b"open"),))),
        (b"a/b; c=; d=e", MimeValue(b"a", b"b", ((b"c", b""), (b"d", b"e")))),
        (b"a/b; n*0*=utf-8''x; n*1=y", MimeValue(b"a", b"b", ((b"n*0*", b"utf-8''x"), (b"n*1", b"y")))),
        (b"", None),
        (b"; a=b", None),
        (b"(only a comment", None),
    ],
)
def test_values(value: bytes, expected: MimeValue | None) -> None:
    assert parse_mime_value(value) == expected


@given(st.binary(max_size=80))
def test_nothing_makes_it_fail(value: bytes) -> None:
    parse_mime_value(b"a/b; " + value)


@pytest.mark.parametrize("junk", [b";", b"; ", b";a", b"a ", b"(", b';a="', b"\\", b"="])
def test_what_is_no_parameter_is_passed_over_however_much_there_is_of_it(junk: bytes) -> None:
    """In a time that grows with the length, not with its square: that would be a minute for one field."""
    value = parse_mime_value(b"a/b; c=d; " + junk * (64 * 1024 // len(junk)))
    assert value is not None
    assert value.parameter(b"c") == b"d"


def test_a_parameter_is_found_without_case() -> None:
    value = parse_mime_value(b"a/b; Boundary=x; BOUNDARY=y")
    assert value is not None
    assert value.parameter(b"boundary") == b"x"
