"""The boot process from outside: a first start, starts after it, a demonstration, plans, what cannot be used."""

from __future__ import annotations

import asyncio
import json
import ssl
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509

from gatepost.boot import demo
from gatepost.boot.boot import boot
from gatepost.boot.first_listeners import demo_listeners, first_listeners
from gatepost.boot.messages import BootAnswer, BootRequest
from gatepost.boot.self_signed import host_name, make_self_signed
from gatepost.plan.plan import ProtocolName
from gatepost.registry.change import ChangeCause
from gatepost.store.sql_store import SqlStore


def start(
    directory: Path, *, admin: str | None = None, is_demo: bool = False, plans: tuple[Path, ...] = ()
) -> BootAnswer:
    return boot(
        BootRequest(
            database=str(directory),
            data_directory=str(directory),
            plan_files=tuple(map(str, plans)),
            is_demo=is_demo,
            admin=admin,
        )
    )


def plan_file(directory: Path, *lines: object) -> Path:
    path = directory / "plan.ndjson"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def smtp_on(address: str) -> dict[str, object]:
    value = {"l": {"name": "only", "protocol": "smtp", "bind": {address: True}}}
    return {"@type": "upsert", "object": "NetworkListener", "matchOn": ["name"], "value": value}


def test_a_first_start_has_listeners_of_every_protocol_a_certificate_and_an_administrator(tmp_path: Path) -> None:
    answer = start(tmp_path)
    assert answer.problems == ()
    assert answer.plan is not None
    assert {listener.protocol for listener in answer.plan.listeners} == set(ProtocolName)
    assert [certificate.is_fallback for certificate in answer.plan.certificates] == [True]
    assert any("admin" in note and "password" in note for note in answer.notes)


async def test_a_first_start_is_in_the_history_and_accounts_stand_there_by_login_name(tmp_path: Path) -> None:
    await asyncio.to_thread(start, tmp_path, is_demo=True)
    store = SqlStore.open(tmp_path)
    try:
        history = store.configuration.history
        entries = await history.entries(await history.find())
    finally:
        await store.close()
    assert {entry.record.author.cause for entry in entries} == {ChangeCause.FIRST_START}
    assert {"alice@example.org", "admin", "smtp"} <= {entry.record.object_name for entry in entries}
    assert {entry.object_type for entry in entries} >= {"SystemSettings", "Certificate", "NetworkListener"}


def test_a_later_start_changes_nothing_and_shows_no_password(tmp_path: Path) -> None:
    first, second = start(tmp_path), start(tmp_path)
    assert second.plan == first.plan
    assert not any("password " in note for note in second.notes)


def test_the_administrator_may_be_given_and_is_not_shown(tmp_path: Path) -> None:
    answer = start(tmp_path, admin="root:a long enough password")
    assert answer.plan is not None
    assert "a long enough password" not in repr(answer)


def test_a_demonstration_needs_no_privilege_and_shows_its_passwords_at_every_start(tmp_path: Path) -> None:
    first, second = start(tmp_path, is_demo=True), start(tmp_path, is_demo=True)
    assert first.plan is not None
    for listener in first.plan.listeners:
        for address in listener.addresses:
            host, _, port = address.rpartition(":")
            assert host == "127.0.0.1"
            assert int(port) >= 1024
    assert first.notes == second.notes
    assert len([note for note in first.notes if note.startswith("account")]) == 3
    (passwords,) = tmp_path.glob("demo-passwords.json")
    assert stat.S_IMODE(passwords.stat().st_mode) == 0o600


def test_a_plan_file_replaces_the_first_listeners(tmp_path: Path) -> None:
    answer = start(tmp_path, plans=(plan_file(tmp_path, smtp_on("127.0.0.1:2525")),))
    assert answer.problems == ()
    assert answer.plan is not None
    assert [listener.addresses for listener in answer.plan.listeners] == [("127.0.0.1:2525",)]


def test_a_plan_file_may_be_applied_at_every_start(tmp_path: Path) -> None:
    plans = (plan_file(tmp_path, smtp_on("127.0.0.1:2525")),)
    assert start(tmp_path, plans=plans).plan == start(tmp_path, plans=plans).plan


@pytest.mark.parametrize("address", ["127.0.0.1:0", "nonsense", "127.0.0.1:99999"])
def test_a_plan_that_breaks_a_rule_is_refused_with_the_file(tmp_path: Path, address: str) -> None:
    answer = start(tmp_path, plans=(plan_file(tmp_path, smtp_on(address)),))
    assert answer.plan is None
    assert answer.exit_code == 2
    assert "plan.ndjson" in answer.problems[0]


def test_a_plan_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    answer = start(tmp_path, plans=(tmp_path / "missing.ndjson",))
    assert (answer.plan, answer.exit_code) == (None, 2)
    assert "missing.ndjson" in answer.problems[0]


def test_a_data_directory_that_cannot_be_used_is_a_failure(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a directory")
    answer = start(blocked)
    assert (answer.plan, answer.exit_code) == (None, 1)
    assert "the store cannot be used" in answer.problems[0]


# --- the parts ------------------------------------------------------------------------------------------------------------


def test_no_two_first_listeners_clash() -> None:
    for listeners in (first_listeners(), demo_listeners()):
        addresses = [address for listener in listeners for address in listener.bind]
        for position, address in enumerate(addresses):
            assert not any(address.clashes_with(other) for other in addresses[:position])
        assert len({listener.name for listener in listeners}) == len(listeners)


def test_plain_http_and_lmtp_are_for_this_machine_only() -> None:
    for listener in first_listeners():
        if listener.protocol.value == "lmtp" or (listener.protocol.value == "http" and not listener.tls_implicit):
            assert all(address.ip.is_loopback for address in listener.bind)


def test_the_certificate_of_its_own_names_the_host_and_this_machine() -> None:
    now = datetime(2026, 5, 1, tzinfo=UTC)
    made = make_self_signed("mail.example.org", now)
    assert made.certificate is not None
    parsed = x509.load_pem_x509_certificate(made.certificate.encode())
    names = parsed.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["mail.example.org", "localhost"]
    assert [str(address) for address in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1", "::1"]
    assert parsed.not_valid_before_utc < now < parsed.not_valid_after_utc
    assert made.is_self_signed
    context = ssl.create_default_context(cadata=made.certificate)
    assert context.cert_store_stats()["x509_ca"] == 1


def test_a_host_name_can_always_be_had() -> None:
    assert host_name()
    assert " " not in host_name()


def test_passwords_of_a_demonstration_are_kept(tmp_path: Path) -> None:
    made = demo.passwords(tmp_path, ("admin", "alice"))
    assert set(made) == {"admin", "alice"}
    assert demo.passwords(tmp_path, ("admin", "alice")) == made


def test_messages_of_a_demonstration_have_line_ends_of_the_internet() -> None:
    for message in demo.messages():
        assert message.owner in demo.PEOPLE
        assert b"\n" not in message.content.replace(b"\r\n", b"")


@pytest.mark.parametrize("url", ["postgresql://host/name", "sqlite://", "sqlite:///:memory:", "://"])
def test_a_database_that_cannot_be_is_wrong_configuration(tmp_path: Path, url: str) -> None:
    request = BootRequest(
        database=url, data_directory=str(tmp_path), plan_files=(), is_demo=False, admin="root:a long enough password"
    )
    answer = boot(request)
    assert (answer.plan, answer.exit_code) == (None, 2)
    assert "GATEPOST_DATABASE_URL: " in answer.problems[0]
    assert "sqlite:////path/to/file" in answer.problems[0]
