"""A certificate and its key: what is read out of them, and which pairs are refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from tests.certificates import key_pem

from gatepost.registry.certificate import CERTIFICATE, Certificate, complete_certificate
from gatepost.registry.tls import KeyType
from gatepost.registry.validation import candidate_of_create
from gatepost.values.secret import Secret

MakePair = Callable[..., tuple[str, str]]


def problems_of(chain: str, key: str, now: datetime) -> list[str]:
    candidate = candidate_of_create(CERTIFICATE, {"certificate": chain, "privateKey": key}, now)
    return [problem.property for problem in candidate.problems]


def test_the_server_fills_in_what_the_chain_says(pair: MakePair, now: datetime) -> None:
    chain, key = pair(names=("Mail.Example.org", "*.example.org"))
    candidate = candidate_of_create(CERTIFICATE, {"certificate": chain, "privateKey": key}, now)
    assert candidate.problems == ()
    shown = CERTIFICATE.to_wire(candidate.object)
    assert shown["subjectAlternativeNames"] == {"mail.example.org": True, "*.example.org": True}
    assert (shown["issuer"], shown["keyType"], shown["isSelfSigned"]) == ("CN=mail.example.org", "ecdsa", False)
    assert (shown["notValidBefore"], shown["notValidAfter"]) == ("2030-05-31T12:00:00Z", "2030-08-30T12:00:00Z")
    assert "privateKey" not in shown


def test_without_alternative_names_the_common_name_counts(pair: MakePair, now: datetime) -> None:
    chain, key = pair(names=())
    certificate = complete_certificate(Certificate(certificate=chain, private_key=Secret(key)), now)
    assert certificate.subject_alternative_names == ("mail.example.org",)


@pytest.mark.parametrize(
    ("made", "names"),
    [
        ({"names": (f"{'a' * 300}.example.org", "", "bell\a.example.org", "b.example.org")}, ("b.example.org",)),
        ({"common_name": "two\nlines", "names": ()}, ()),
        ({"common_name": "two\nlines", "names": ("a.example.org",)}, ("a.example.org",)),
    ],
)
def test_whatever_a_certificate_says_can_be_stored_and_read_back(
    made: dict[str, Any], names: tuple[str, ...], pair: MakePair, now: datetime
) -> None:
    """Names that no client can ask for are left out, and the issuer's name is made one line."""
    chain, key = pair(**made)
    candidate = candidate_of_create(CERTIFICATE, {"certificate": chain, "privateKey": key}, now)
    assert candidate.problems == ()
    assert candidate.object.subject_alternative_names == names
    assert CERTIFICATE.from_stored(CERTIFICATE.to_stored(candidate.object)) == candidate.object


def test_a_certificate_of_more_names_than_a_list_may_have_is_refused(pair: MakePair, now: datetime) -> None:
    names = tuple(f"{number}.example.org" for number in range(1025))
    assert problems_of(*pair(names=names[:1024]), now) == []
    assert problems_of(*pair(names=names), now) == ["certificate"]


@pytest.mark.parametrize("kind", ["ecdsa", "rsa", "ed25519"])
def test_keys_that_tls_can_use_are_taken(kind: str, pair: MakePair, now: datetime) -> None:
    chain, key = pair(kind=kind)
    certificate = complete_certificate(Certificate(certificate=chain, private_key=Secret(key)), now)
    assert certificate.key_type is KeyType(kind)


@pytest.mark.parametrize("kind", ["rsa1024", "rsa8194", "secp256k1", "dsa"])
def test_keys_that_tls_should_not_use_are_refused(kind: str, pair: MakePair, now: datetime) -> None:
    assert problems_of(*pair(kind=kind), now) == ["certificate"]


def test_a_key_of_another_certificate_is_refused(pair: MakePair, now: datetime) -> None:
    chain, _ = pair()
    _, other_key = pair(kind="rsa")
    assert problems_of(chain, other_key, now) == ["privateKey"]


@pytest.mark.parametrize("name", ["p", "q", "d", "dmp1", "dmq1", "iqmp"])
def test_an_rsa_key_whose_numbers_do_not_belong_together_is_refused(name: str, pair: MakePair, now: datetime) -> None:
    chain, pem = pair(kind="rsa")
    key = load_pem_private_key(pem.encode(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    whole = key.private_numbers()
    names = ("p", "q", "d", "dmp1", "dmq1", "iqmp")
    changed = {each: getattr(whole, each) + 2 * (each == name) for each in names}
    numbers = rsa.RSAPrivateNumbers(**changed, public_numbers=whole.public_numbers)
    try:
        damaged = numbers.private_key(unsafe_skip_rsa_key_validation=True)
    except ValueError:
        return  # not even the library writes it
    assert problems_of(chain, key_pem(damaged), now) == ["privateKey"]


def test_an_expired_certificate_is_refused_to_the_second(pair: MakePair, now: datetime) -> None:
    assert problems_of(*pair(lifetime=timedelta(seconds=1)), now) == []
    assert problems_of(*pair(lifetime=timedelta(0)), now) == ["certificate"]


def test_a_chain_in_the_wrong_order_is_refused(pair: MakePair, now: datetime) -> None:
    chain, key = pair()
    stranger, _ = pair(common_name="somebody else")
    assert problems_of(chain + stranger, key, now) == ["certificate"]
    assert problems_of(chain + chain, key, now) == []


@pytest.mark.parametrize("text", ["", "nonsense", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_what_is_not_pem_is_refused(text: str, pair: MakePair, now: datetime) -> None:
    chain, key = pair()
    assert problems_of(text, key, now) == ["certificate"]
    assert problems_of(chain, text, now) == ["privateKey"]


def test_a_refused_pair_cannot_be_completed(pair: MakePair, now: datetime) -> None:
    chain, _ = pair()
    with pytest.raises(ValueError, match="privateKey"):
        complete_certificate(Certificate(certificate=chain, private_key=Secret("nonsense")), now)
