"""What the history is told of a change, and what never gets into it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import msgspec
from tests.certificates import certificate_pem, key_pem, new_certificate, new_key

from gatepost.management.access import Caller
from gatepost.management.recording import author_of, object_write, retention_of
from gatepost.registry.account import ACCOUNT, Account, Role
from gatepost.registry.certificate import CERTIFICATE, Certificate
from gatepost.registry.change import ChangeCause
from gatepost.registry.configuration import Configuration
from gatepost.registry.declaration import SINGLETON_ID
from gatepost.registry.network_listener import NETWORK_LISTENER, NetworkListener, NetworkListenerProtocol
from gatepost.registry.requester import RequestWay
from gatepost.registry.system_settings import SYSTEM_SETTINGS, SystemSettings
from gatepost.store.history import Author, ChangeRecord
from gatepost.values.ids import Id
from gatepost.values.secret import Secret
from gatepost.values.socket_address import SocketAddress

NOON = datetime(2030, 6, 1, 12, 0, tzinfo=UTC)
AUTHOR = Author(at=NOON, cause=ChangeCause.START)
ALICE = Account(name="alice", domain_id=Id("org"), password=Secret("$argon2id$first"), quota=10)


def record_of(before: Account | None, after: Account | None) -> ChangeRecord:
    record = object_write(AUTHOR, ACCOUNT, Id("i1"), before, after).record
    assert record is not None
    return record


def test_an_update_holds_the_properties_that_differ_and_no_other() -> None:
    record = record_of(ALICE, msgspec.structs.replace(ALICE, quota=20, role=Role.OPERATOR))
    assert record.before == {"role": "user", "quota": 10}
    assert record.after == {"role": "operator", "quota": 20}
    assert (record.kind, record.object_name, record.redacted) == ("updated", "alice", ())


def test_what_is_created_and_destroyed_is_there_as_a_whole_but_for_secrets() -> None:
    created, destroyed = record_of(None, ALICE), record_of(ALICE, None)
    readable = ACCOUNT.to_wire(ALICE)
    assert (created.kind, created.before, created.after) == ("created", None, readable)
    assert (destroyed.kind, destroyed.before, destroyed.after) == ("destroyed", readable, None)
    assert created.redacted == destroyed.redacted == ("password",)
    assert destroyed.object_name == "alice"


def test_of_a_secret_it_is_told_only_that_it_has_changed() -> None:
    record = record_of(ALICE, msgspec.structs.replace(ALICE, password=Secret("$argon2id$second")))
    assert (record.before, record.after, record.redacted) == ({}, {}, ("password",))
    assert record.kind == "updated"


def test_a_secret_that_never_was_is_not_redacted() -> None:
    certificate = Certificate(certificate_file="/etc/chain.pem", private_key_file="/etc/key.pem")
    record = object_write(AUTHOR, CERTIFICATE, Id("c"), None, certificate).record
    assert record is not None
    assert record.redacted == ()


def test_no_key_gets_into_the_history_wherever_it_stands() -> None:
    key = new_key()
    chain = certificate_pem(new_certificate("mail.example.org", key, (NOON, NOON + timedelta(days=9))))
    certificate = Certificate(certificate=chain + key_pem(key), private_key=Secret(key_pem(key)))
    write = object_write(AUTHOR, CERTIFICATE, Id("c"), None, certificate)
    assert write.record is not None
    assert set(write.record.redacted) == {"certificate", "privateKey"}
    assert "PRIVATE KEY" not in str(write.record)
    assert "PRIVATE KEY" in str(write.value)


def test_the_one_object_of_a_singleton_has_no_name() -> None:
    before, after = SystemSettings(), SystemSettings(max_connections=1)
    record = object_write(AUTHOR, SYSTEM_SETTINGS, SINGLETON_ID, before, after).record
    assert record is not None
    assert (record.object_name, record.after) == (None, {"maxConnections": 1})


def test_the_author_is_the_caller_by_the_names_of_now() -> None:
    listener = NetworkListener(
        name="https", bind=(SocketAddress.parse("[::]:443"),), protocol=NetworkListenerProtocol.HTTP
    )
    stored = [(NETWORK_LISTENER.name, Id("l1"), NETWORK_LISTENER.to_stored(listener))]
    caller = Caller(
        Id("i1"), "olga@example.org", Role.OPERATOR, RequestWay(Id("l1"), client_address=ip_address("2001:db8::1"))
    )
    author = author_of(caller, Configuration.load(stored), NOON)
    assert author == Author(
        at=NOON,
        cause=ChangeCause.API,
        account_id=Id("i1"),
        account="olga@example.org",
        listener_id=Id("l1"),
        listener="https",
        source_address="2001:db8::1",
    )


def test_settings_say_how_much_history_is_kept() -> None:
    settings = SystemSettings(history_retention=3_600_000, history_max_changes=7)
    assert retention_of(settings, NOON).since == NOON - timedelta(hours=1)
    assert retention_of(settings, NOON).most == 7
    assert retention_of(msgspec.structs.replace(settings, history_retention=None), NOON).since is None
