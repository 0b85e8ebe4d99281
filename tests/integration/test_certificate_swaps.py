"""Certificates are replaced while clients shake hands without a pause: none is turned away, none sees the old one afterwards."""

from __future__ import annotations

import os
import signal
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from tests.certificates import certificate_pem, key_pem, new_certificate, new_key
from tests.integration.running_server import RunningServer, eventually, running_server
from tests.integration.tls_load import served_certificate, tls_clients_in_a_loop
from tests.tls_client import trusting_context


@dataclass(frozen=True)
class Pair:
    """A certificate of `mail.example.org`, told from others by its serial number."""

    chain: str
    key: str
    serial: int


def new_pair(*, days: int = 30, name: str = "mail.example.org", kind: str = "ecdsa") -> Pair:
    key, now = new_key(kind), datetime.now(UTC)
    made = new_certificate(name, key, (now - timedelta(days=2), now + timedelta(days=days)), names=(name,))
    return Pair(certificate_pem(made), key_pem(key), made.serial_number)


def write_pair(directory: Path, pair: Pair) -> dict[str, str]:
    """The files of a pair, each replaced at once as a careful renewal does it; the properties that name them."""
    for name, text in (("chain.pem", pair.chain), ("key.pem", pair.key)):
        (directory / f"{name}.new").write_text(text)
        (directory / f"{name}.new").rename(directory / name)
    return {"certificateFile": str(directory / "chain.pem"), "privateKeyFile": str(directory / "key.pem")}


def make_default(server: RunningServer, **properties: str) -> str:
    """A certificate that is served to everybody from now on; its id."""
    certificate_id: str = server.set("Certificate", create={"c": properties})["created"]["c"]["id"]
    server.set("SystemSettings", update={"singleton": {"defaultCertificateId": certificate_id}})
    return certificate_id


def serial_of(server: RunningServer, name: str = "imaps") -> int:
    return served_certificate(server.address(name)).serial_number


def until_served(server: RunningServer, pair: Pair) -> None:
    """Returns when a client sees it."""
    eventually(lambda: serial_of(server) == pair.serial)


def properties_of(server: RunningServer, certificate_id: str) -> dict[str, object]:
    found: dict[str, object] = server.call("x:Certificate/get", ids=[certificate_id])["list"][0]
    return found


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """One for all tests here: each makes a default certificate of its own."""
    with running_server(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture
def files(tmp_path: Path) -> Path:
    directory = tmp_path / "certificates"
    directory.mkdir()
    return directory


def test_an_object_that_is_changed_is_served_from_the_next_handshake_on(server: RunningServer) -> None:
    first = new_pair()
    certificate_id = make_default(server, certificate=first.chain, privateKey=first.key)
    assert serial_of(server) == first.serial
    with tls_clients_in_a_loop(server.address("imaps")) as load:
        for _ in range(5):
            pair = new_pair()
            server.set("Certificate", update={certificate_id: {"certificate": pair.chain, "privateKey": pair.key}})
            assert [serial_of(server) for _ in range(4)] == [pair.serial] * 4
    assert load.errors == []
    assert len(load.seen) > 1


def test_files_that_are_replaced_are_served_soon_without_anybody_saying_so(server: RunningServer, files: Path) -> None:
    pairs, so_far = [new_pair() for _ in range(4)], len(server.log())
    certificate_id = make_default(server, **write_pair(files, pairs[0]))
    assert serial_of(server) == pairs[0].serial
    assert properties_of(server, certificate_id)["certificate"] is None
    with tls_clients_in_a_loop(server.address("imaps")) as load:
        for pair in pairs[1:]:
            write_pair(files, pair)
            until_served(server, pair)
            assert [serial_of(server) for _ in range(4)] == [pair.serial] * 4
    assert load.errors == []
    assert set(load.seen) >= {pair.serial for pair in pairs[1:-1]}
    assert server.log()[so_far:].count("certificate.loaded") == 3


def test_a_hangup_signal_reads_the_files_again_at_once(server: RunningServer, files: Path) -> None:
    first, second = new_pair(), new_pair()
    make_default(server, **write_pair(files, first))
    with tls_clients_in_a_loop(server.address("imaps")) as load:
        write_pair(files, second)
        server.process.send_signal(signal.SIGHUP)
        until_served(server, second)
    assert load.errors == []


def test_a_link_that_points_elsewhere_is_a_file_that_has_changed(server: RunningServer, files: Path) -> None:
    """As certbot and Kubernetes do it: what is named stays, and what it leads to is exchanged."""
    pairs = [new_pair(), new_pair()]
    for number, pair in enumerate(pairs):
        (files / str(number)).mkdir()
        write_pair(files / str(number), pair)
    (files / "live").symlink_to(files / "0")
    live = files / "live"
    make_default(server, certificateFile=str(live / "chain.pem"), privateKeyFile=str(live / "key.pem"))
    assert serial_of(server) == pairs[0].serial
    (files / "next").symlink_to(files / "1")
    (files / "next").rename(live)
    until_served(server, pairs[1])


@pytest.mark.parametrize("damage", ["broken", "missing", "other key", "expired"])
def test_what_is_not_usable_changes_nothing_is_told_once_and_is_seen_until_it_is_right(
    server: RunningServer, files: Path, damage: str
) -> None:
    good, so_far = new_pair(), len(server.log())
    certificate_id = make_default(server, **write_pair(files, good))
    with tls_clients_in_a_loop(server.address("imaps"), count=4) as load:
        match damage:
            case "broken":
                (files / "chain.pem").write_text(good.chain[:200])
            case "missing":
                (files / "key.pem").unlink()
            case "other key":
                (files / "key.pem").write_text(new_pair().key)
            case _:
                write_pair(files, new_pair(days=-1))
        words = {
            "broken": f"{files}/chain.pem: is not a chain of certificates in PEM form",
            "missing": f"{files}/key.pem: No such file or directory (ENOENT)",
            "other key": f"{files}/key.pem: the private key does not belong to the first certificate of the chain",
            "expired": "expired at ",
        }[damage]
        assert words in eventually(lambda: properties_of(server, certificate_id)["fileProblem"])
        server.process.send_signal(signal.SIGHUP)
        server.set("SystemSettings", update={"singleton": {"maxConnections": 5000}})  # other changes are not kept back
        assert serial_of(server) == good.serial
        renewed = new_pair()
        write_pair(files, renewed)
        until_served(server, renewed)
        eventually(lambda: properties_of(server, certificate_id)["fileProblem"] is None)
    assert load.errors == []
    assert set(load.seen) == {good.serial, renewed.serial}
    # The hang-up is followed at once: where that is between the two renames, the half that it sees is told of as well.
    told = [line for line in server.log()[so_far:].splitlines() if "certificate.not_loaded" in line]
    assert len([line for line in told if words in line]) == 1
    assert good.key.splitlines()[1] not in server.log()


def test_a_worker_that_is_killed_and_a_change_meanwhile_do_not_lose_a_renewal(
    server: RunningServer, files: Path
) -> None:
    first, second = new_pair(), new_pair()
    make_default(server, **write_pair(files, first))
    for pid in server.worker_pids():
        server.kill_worker(pid)
    write_pair(files, second)
    eventually(lambda: _serial_if_any(server) == second.serial)


def _serial_if_any(server: RunningServer) -> int | None:
    try:
        return serial_of(server)
    except (OSError, AssertionError):
        return None


def test_a_server_that_starts_without_the_files_serves_its_own_certificate_until_they_are_there(
    tmp_path: Path, files: Path
) -> None:
    pair = new_pair()
    names = write_pair(files, pair)
    lines = [
        {"@type": "upsert", "object": "Certificate", "matchOn": ["name"], "value": {"c": {"name": "mail", **names}}},
        {"@type": "update", "object": "SystemSettings", "value": {"defaultCertificateId": "#c"}},
    ]
    with running_server(tmp_path, extra_lines=lines) as server:
        assert serial_of(server) == pair.serial
        ports, arguments = server.ports, ["--data", str(tmp_path / "data"), "--workers", "2"]
    (files / "key.pem").unlink()
    server = RunningServer(tmp_path, arguments, ports, server.admin)
    try:
        assert serial_of(server) not in {pair.serial}
        assert _names(served_certificate(server.address("imaps"))) >= {"localhost"}
        eventually(lambda: "certificate.not_loaded" in server.log())
        assert "another certificate" in server.log()
        write_pair(files, pair)
        until_served(server, pair)
    finally:
        server.stop()


def _names(certificate: x509.Certificate) -> set[str]:
    extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return set(extension.value.get_values_for_type(x509.DNSName))


def test_files_that_cannot_be_used_are_refused_and_nothing_changes(server: RunningServer, files: Path) -> None:
    names = write_pair(files, new_pair())
    before = serial_of(server)

    def problems(**properties: str | None) -> set[tuple[str, str]]:
        answer = server.call("x:Certificate/set", create={"c": {**names, **properties}})
        return {(each["property"], each["description"]) for each in answer["notCreated"]["c"]["validationErrors"]}

    gone, fifo = files / "gone.pem", files / "fifo"
    os.mkfifo(fifo)
    assert problems(certificateFile=str(gone)) == {
        ("certificateFile", f"{gone}: No such file or directory (ENOENT)"),
    }
    assert problems(privateKeyFile=str(fifo)) == {("privateKeyFile", f"{fifo}: is not a regular file")}
    assert problems(privateKeyFile=str(files)) == {("privateKeyFile", f"{files}: is not a regular file")}
    assert problems(privateKeyFile=None) == {
        ("privateKeyFile", "must be given too: chain and key are both in files, or both text"),
    }
    assert problems(certificate=new_pair().chain) == {("certificate", "must be null where certificateFile is given")}
    assert problems(certificateFile="chain.pem") == {
        ("certificateFile", "must be the absolute path of a file, like /etc/ssl/mail.pem"),
    }
    assert serial_of(server) == before


def test_text_and_files_take_each_others_place(server: RunningServer, files: Path) -> None:
    in_text, in_files = new_pair(), new_pair()
    certificate_id = make_default(server, certificate=in_text.chain, privateKey=in_text.key)
    to_files = {**write_pair(files, in_files), "certificate": None, "privateKey": None}
    server.set("Certificate", update={certificate_id: to_files})
    assert serial_of(server) == in_files.serial
    to_text = {"certificateFile": None, "privateKeyFile": None, "certificate": in_text.chain, "privateKey": in_text.key}
    server.set("Certificate", update={certificate_id: to_text})
    assert serial_of(server) == in_text.serial


def served_to(server: RunningServer, kind: str, server_name: str | None) -> int:
    """Serial number of what a client gets that can verify one kind of key only."""
    context = trusting_context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(f"ECDHE-{kind.upper()}-AES128-GCM-SHA256")
    sock = socket.create_connection(server.address("imaps"), timeout=20)
    with sock, context.wrap_socket(sock, server_hostname=server_name) as tls:
        octets = tls.getpeercert(binary_form=True)
    assert octets is not None
    return x509.load_der_x509_certificate(octets).serial_number


def test_ecdsa_and_rsa_of_one_name_in_files_are_both_in_use(server: RunningServer, files: Path) -> None:
    wanted, ids = {}, {}
    for kind in ("ecdsa", "rsa"):
        (files / kind).mkdir()
        pair = new_pair(kind=kind, name="both.example.org")
        answer = server.set("Certificate", create={"c": write_pair(files / kind, pair)})
        wanted[kind], ids[kind] = pair.serial, answer["created"]["c"]["id"]
    assert {kind: served_to(server, kind, "both.example.org") for kind in wanted} == wanted
    # Who names no host gets the default certificate, or its twin.
    server.set("SystemSettings", update={"singleton": {"defaultCertificateId": ids["ecdsa"]}})
    assert {kind: served_to(server, kind, None) for kind in wanted} == wanted
