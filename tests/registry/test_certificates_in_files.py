"""A certificate that is kept in files: what is asked of its properties, and what is said of the files."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from gatepost.registry.certificate import CERTIFICATE
from gatepost.registry.certificate_pair import PairError, pair_in_files
from gatepost.registry.file_path import FilePath, FileTexts, Unreadable
from gatepost.registry.patch import candidate_of_update
from gatepost.registry.problem import UnfitValueError
from gatepost.registry.validation import candidate_of_create
from gatepost.values.ids import Id

MakePair = Callable[..., tuple[str, str]]
PATHS = {"certificateFile": "/chain", "privateKeyFile": "/key"}


def problems_of(wire: dict[str, object], now: datetime, files: FileTexts) -> list[tuple[str, str]]:
    candidate = candidate_of_create(CERTIFICATE, wire, now, files)
    return [(problem.property, problem.description) for problem in candidate.problems]


def test_the_server_fills_in_what_the_chain_in_the_file_says(pair: MakePair, now: datetime) -> None:
    chain, key = pair(names=("mail.example.org",))
    candidate = candidate_of_create(CERTIFICATE, dict(PATHS), now, {"/chain": chain, "/key": key})
    assert candidate.problems == ()
    assert candidate.object.files == ("/chain", "/key")
    shown = CERTIFICATE.to_wire(candidate.object)
    assert shown["subjectAlternativeNames"] == {"mail.example.org": True}
    assert (shown["certificate"], shown["keyType"], shown["fileProblem"]) == (None, "ecdsa", None)


def test_what_is_in_files_is_not_stored(pair: MakePair, now: datetime) -> None:
    chain, key = pair()
    candidate = candidate_of_create(CERTIFICATE, dict(PATHS), now, {"/chain": chain, "/key": key})
    stored = CERTIFICATE.to_stored(candidate.object)
    assert (stored["certificate"], stored["privateKey"]) == (None, None)
    assert CERTIFICATE.from_stored(stored) == candidate.object


def test_chain_and_key_may_stand_in_one_file(pair: MakePair, now: datetime) -> None:
    chain, key = pair()
    wire: dict[str, object] = {"certificateFile": "/both", "privateKeyFile": "/both"}
    assert problems_of(wire, now, {"/both": key + chain}) == []


@pytest.mark.parametrize(
    ("wire", "problems"),
    [
        (
            {},
            [
                ("certificate", "must be given, or the path of its file"),
                ("privateKey", "must be given, or the path of its file"),
            ],
        ),
        (
            {"certificateFile": "/chain"},
            [("privateKeyFile", "must be given too: chain and key are both in files, or both text")],
        ),
        (
            {"privateKeyFile": "/key", "privateKey": "x"},
            [
                ("certificateFile", "must be given too: chain and key are both in files, or both text"),
                ("privateKey", "must be null where privateKeyFile is given"),
            ],
        ),
        ({**PATHS, "certificate": "x"}, [("certificate", "must be null where certificateFile is given")]),
        ({**PATHS, "fileProblem": "none"}, [("fileProblem", "is set by the server: leave it out")]),
    ],
)
def test_chain_and_key_are_both_text_or_both_in_files(
    wire: dict[str, object], problems: list[tuple[str, str]], pair: MakePair, now: datetime
) -> None:
    chain, key = pair()
    assert problems_of(wire, now, {"/chain": chain, "/key": key}) == problems


def test_what_is_wrong_with_a_file_is_said_with_its_path(pair: MakePair, now: datetime) -> None:
    chain, key = pair()
    _, other_key = pair(kind="rsa")
    gone = Unreadable("No such file or directory (ENOENT)")
    cases: list[tuple[FileTexts, list[tuple[str, str]]]] = [
        ({"/chain": gone, "/key": key}, [("certificateFile", "/chain: No such file or directory (ENOENT)")]),
        ({"/chain": chain, "/key": gone}, [("privateKeyFile", "/key: No such file or directory (ENOENT)")]),
        ({"/chain": chain}, [("privateKeyFile", "/key: was not read")]),
        (
            {"/chain": chain, "/key": other_key},
            [("privateKeyFile", "/key: the private key does not belong to the first certificate of the chain")],
        ),
    ]
    for files, problems in cases:
        assert problems_of(dict(PATHS), now, files) == problems


def test_an_expired_file_is_refused(pair: MakePair, now: datetime) -> None:
    chain, key = pair(lifetime=timedelta(0))
    ((name, _),) = problems_of(dict(PATHS), now, {"/chain": chain, "/key": key})
    assert name == "certificateFile"


def test_text_is_replaced_by_files_when_it_is_set_to_null(pair: MakePair, now: datetime) -> None:
    chain, key = pair()
    in_text = candidate_of_create(CERTIFICATE, {"certificate": chain, "privateKey": key}, now).object
    patch: dict[str, object] = {**PATHS, "certificate": None, "privateKey": None}
    candidate = candidate_of_update(CERTIFICATE, Id("c"), in_text, patch, now, {"/chain": chain, "/key": key})
    assert candidate.problems == ()
    assert candidate.object.files == ("/chain", "/key")
    assert candidate.object.private_key is None


def test_a_key_never_stands_in_an_error_or_a_printout(pair: MakePair) -> None:
    chain, key = pair()
    found, _ = pair_in_files("/chain", "/key", {"/chain": chain, "/key": key})
    assert "PRIVATE" not in repr(found)
    with pytest.raises(PairError) as raised:
        pair_in_files("/chain", "/key", {"/chain": key, "/key": chain})
    assert key.splitlines()[1] not in str(raised.value)


@pytest.mark.parametrize(
    "path", ["", "chain.pem", "./chain.pem", "/etc/ssl/", "/a\0b", "/a\nb", "/" + "a" * 4095, 7, None]
)
def test_what_is_not_an_absolute_path_is_refused(path: object) -> None:
    with pytest.raises(UnfitValueError):
        FilePath().parse(path)


@pytest.mark.parametrize("path", ["/a", "/etc/ssl/mail example.pem", "/" + "a" * 4094])
def test_an_absolute_path_is_taken_as_it_is(path: str) -> None:
    assert FilePath().to_wire(FilePath().parse(path)) == path
