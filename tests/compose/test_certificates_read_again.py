"""What is served and what the objects say when the files of certificates are read again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from msgspec import structs
from tests.certificates import certificate_pem, key_pem, new_certificate, new_key

from gatepost.compose import certificates_in_files
from gatepost.compose.certificates_in_files import read_again
from gatepost.plan.plan import CertificatePlan
from gatepost.registry.certificate import CERTIFICATE, Certificate
from gatepost.registry.file_path import FileTexts, Unreadable
from gatepost.transport.tls_contexts import UnusableTls
from gatepost.values.ids import Id
from gatepost.values.secret import Secret

NOW = datetime(2030, 6, 1, 12, tzinfo=UTC)
ID = Id("c")
PATHS = Certificate(name="mail", certificate_file="/chain", private_key_file="/key")


def files(days: int = 9) -> FileTexts:
    key = new_key()
    made = new_certificate(
        "a.example", key, (NOW - timedelta(days=9), NOW + timedelta(days=days)), names=("a.example",)
    )
    return {"/chain": certificate_pem(made), "/key": key_pem(key)}


def served(texts: FileTexts) -> CertificatePlan:
    return CertificatePlan(
        id=ID,
        chain_pem=str(texts["/chain"]),
        private_key_pem=str(texts["/key"]),
        names=("a.example",),
        is_fallback=False,
    )


def stored(texts: FileTexts) -> Certificate:
    return CERTIFICATE.examine(PATHS, NOW, texts)[0]


def test_nothing_changed_changes_nothing() -> None:
    texts = files()
    read = read_again({ID: stored(texts)}, texts, (served(texts),), NOW)
    assert (read.changed, list(read.loaded)) == ({}, [])
    assert read.pairs[ID].chain_pem == texts["/chain"]


def test_a_renewed_certificate_is_served_and_its_object_says_what_it_says() -> None:
    before, after = files(), files(days=90)
    read = read_again({ID: stored(before)}, after, (served(before),), NOW)
    assert list(read.loaded) == [ID]
    assert read.pairs[ID].chain_pem == after["/chain"]
    assert read.changed[ID].not_valid_after == NOW + timedelta(days=90)


def test_a_problem_is_noted_once_and_taken_away_when_it_is_gone() -> None:
    texts = files()
    broken = {**texts, "/key": Unreadable("Permission denied (EACCES)")}
    read = read_again({ID: stored(texts)}, broken, (served(texts),), NOW)
    assert read.changed[ID].file_problem == "/key: Permission denied (EACCES)"
    assert (read.pairs[ID].chain_pem, list(read.loaded)) == (texts["/chain"], [])

    again = read_again({ID: read.changed[ID]}, broken, (served(texts),), NOW)
    assert again.changed == {}

    mended = read_again({ID: read.changed[ID]}, texts, (served(texts),), NOW)
    assert mended.changed[ID].file_problem is None


def test_what_openssl_refuses_is_a_problem_of_the_file_and_the_last_good_pair_is_served(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(_chain: str, _key: str) -> None:
        raise UnusableTls("the TLS library cannot use it: ee key too small")

    monkeypatch.setattr(certificates_in_files, "check_pair", refuse)
    before, after = files(), files()
    read = read_again({ID: stored(before)}, after, (served(before),), NOW)
    assert read.pairs[ID].chain_pem == before["/chain"]
    assert read.changed[ID].file_problem == "/chain: the TLS library cannot use it: ee key too small"


def test_certificates_kept_as_text_are_left_alone() -> None:
    text = Certificate(certificate="x", private_key=Secret("y"))
    read = read_again({ID: text}, {}, (), NOW)
    assert (read.pairs, read.changed, list(read.loaded)) == ({}, {}, [])


def test_a_very_long_problem_can_be_stored() -> None:
    texts = {**files(), "/chain": Unreadable("x" * 20_000)}
    changed = read_again({ID: PATHS}, texts, (), NOW).changed[ID]
    assert CERTIFICATE.from_stored(CERTIFICATE.to_stored(changed)) == changed
    assert structs.replace(changed, file_problem=None) == PATHS
