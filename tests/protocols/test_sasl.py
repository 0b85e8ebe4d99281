"""SASL PLAIN (RFC 4616) and LOGIN: what is read out of a response, and what is refused."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.protocols.sasl import MECHANISMS, Credentials, SaslError, SaslExchange, decode_base64
from gatepost.values.secret import Secret

FIELD = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), min_size=1, max_size=60)


def test_plain_without_authorization_identity() -> None:
    exchange = SaslExchange.begin("plain")
    assert exchange.first_challenge == b""
    assert exchange.step(b"\0alice@example.org\0secret") == Credentials("", "alice@example.org", Secret("secret"))


@given(FIELD, FIELD, FIELD)
def test_plain_keeps_all_three_parts_apart(identity: str, name: str, password: str) -> None:
    message = "\0".join((identity, name, password)).encode()
    assert SaslExchange.begin("PLAIN").step(message) == Credentials(identity, name, Secret(password))


@pytest.mark.parametrize(
    "message",
    [b"", b"alice", b"\0alice", b"\0\0secret", b"\0alice\0", b"\0alice\0secret\0", b"\0\xff\0secret", b"\0a\0\xc3"],
)
def test_plain_of_the_wrong_form_is_refused_rfc4616_section_2(message: bytes) -> None:
    with pytest.raises(SaslError):
        SaslExchange.begin("PLAIN").step(message)


def test_login_asks_for_name_and_password() -> None:
    exchange = SaslExchange.begin("LOGIN")
    assert exchange.first_challenge == b"Username:"
    assert exchange.step(b"alice") == b"Password:"
    assert exchange.step(b"secret") == Credentials("", "alice", Secret("secret"))


def test_login_fields_may_not_be_empty_or_have_a_nul() -> None:
    for response in (b"", b"a\0b"):
        with pytest.raises(SaslError):
            SaslExchange.begin("LOGIN").step(response)


@pytest.mark.parametrize("length", [1023, 1024])
def test_a_field_up_to_the_limit_is_taken(length: int) -> None:
    answer = SaslExchange.begin("PLAIN").step(b"\0alice\0" + b"x" * length)
    assert isinstance(answer, Credentials)
    assert len(answer.password.reveal()) == length


def test_a_field_beyond_the_limit_is_refused() -> None:
    with pytest.raises(SaslError):
        SaslExchange.begin("PLAIN").step(b"\0alice\0" + b"x" * 1025)


def test_a_finished_exchange_takes_nothing_more() -> None:
    exchange = SaslExchange.begin("PLAIN")
    exchange.step(b"\0alice\0secret")
    with pytest.raises(SaslError):
        exchange.step(b"\0alice\0secret")


def test_every_mechanism_offered_can_be_begun_and_no_other() -> None:
    for mechanism in MECHANISMS:
        SaslExchange.begin(mechanism)
    for mechanism in ("", "CRAM-MD5", "PLAIN "):
        with pytest.raises(SaslError):
            SaslExchange.begin(mechanism)


@given(st.binary(max_size=200))
def test_base64_round_trip(octets: bytes) -> None:
    assert decode_base64(base64.b64encode(octets)) == octets


@pytest.mark.parametrize(
    "text",
    [b"=", b"YQ", b"YQ=", b"YR==", b"YQ==YQ==", b"YQ==\r\n", b" YQ==", b"Y Q==", b"Y-Q=", b"====", b"YQ===", b"\xff"],
)
def test_base64_that_is_not_canonical_is_refused_rfc4648_section_3(text: bytes) -> None:
    with pytest.raises(SaslError):
        decode_base64(text)


@pytest.mark.parametrize(("length", "is_taken"), [(12284, True), (12288, True), (12292, False)])
def test_the_longest_line_rfc4954_section_4(length: int, is_taken: bool) -> None:
    text = b"A" * length
    if is_taken:
        assert len(decode_base64(text)) == length // 4 * 3
    else:
        with pytest.raises(SaslError):
            decode_base64(text)


@given(st.binary(max_size=40))
def test_base64_of_anything_raises_nothing_but_sasl_error(text: bytes) -> None:
    try:
        decode_base64(text)
    except SaslError:
        pass


@given(st.binary(max_size=40), st.sampled_from(MECHANISMS))
def test_any_response_raises_nothing_but_sasl_error(response: bytes, mechanism: str) -> None:
    try:
        SaslExchange.begin(mechanism).step(response)
    except SaslError:
        pass


def test_an_error_never_quotes_the_response() -> None:
    with pytest.raises(SaslError) as caught:
        SaslExchange.begin("PLAIN").step(b"hunter2\0hunter2")
    assert "hunter2" not in str(caught.value)
