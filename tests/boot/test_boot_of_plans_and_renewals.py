"""The boot process on a store of its own: what a first start makes, what plan files may say, and what goes wrong how."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gatepost.boot.boot import boot
from gatepost.boot.messages import BootAnswer, BootRequest
from gatepost.boot.self_signed import make_self_signed
from gatepost.management.stored_configuration import load_configuration
from gatepost.registry.account import ACCOUNT
from gatepost.registry.certificate import CERTIFICATE, Certificate
from gatepost.registry.configuration import Configuration
from gatepost.registry.declaration import SINGLETON_ID
from gatepost.registry.domain import DOMAIN
from gatepost.registry.system_settings import SYSTEM_SETTINGS, SystemSettings
from gatepost.session.password_hash import is_password_of
from gatepost.store.interface import ObjectWrite
from gatepost.store.sql_store import SqlStore
from gatepost.values.ids import Id
from gatepost.values.secret import Secret

ADMIN = "admin:a password"
LISTENER = {"name": "web", "protocol": "http", "bind": {"127.0.0.1:8080": True}}


def upsert(object_type: str, **values: dict[str, Any]) -> dict[str, Any]:
    return {"@type": "upsert", "object": object_type, "matchOn": ["name"], "value": values}


class Place:
    """A data directory, and starts in it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._files = 0

    def file(self, *operations: dict[str, Any]) -> str:
        self._files += 1
        path = self.directory / f"{self._files}.ndjson"
        path.write_text("".join(json.dumps(operation) + "\n" for operation in operations))
        return str(path)

    def start(self, *plan_files: str, admin: str | None = ADMIN) -> BootAnswer:
        database = str(self.directory)
        return boot(
            BootRequest(database=database, data_directory=database, plan_files=plan_files, is_demo=False, admin=admin)
        )

    def stored(self) -> Configuration:
        async def load() -> Configuration:
            store = SqlStore.open(str(self.directory))
            try:
                return (await load_configuration(store.configuration))[1]
            finally:
                await store.close()

        return asyncio.run(load())

    def write(self, *writes: ObjectWrite) -> None:
        async def commit() -> None:
            store = SqlStore.open(str(self.directory))
            try:
                await store.configuration.commit(writes)
            finally:
                await store.close()

        asyncio.run(commit())


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def names(answer: BootAnswer) -> list[str]:
    assert answer.plan is not None, answer.problems
    return [listener.name for listener in answer.plan.listeners]


def self_signed(configuration: Configuration) -> tuple[Id, Certificate]:
    (found,) = [(key, each) for key, each in configuration.certificates.items() if each.is_self_signed]
    return found


# --- plan files -----------------------------------------------------------------------------------------------------


def test_names_of_one_plan_file_are_known_in_the_files_after_it(place: Place) -> None:
    person = {"name": "alice", "domainId": "#d", "password": "secret"}
    files = place.file(upsert("Domain", d={"name": "example.org"})), place.file(upsert("Account", a=person))
    assert place.start(*files).problems == ()
    assert place.start(*files).problems == ()
    (alice,) = [each for each in place.stored().of(ACCOUNT).values() if each.name == "alice"]
    assert alice.domain_id in place.stored().of(DOMAIN)


def test_a_plan_may_speak_of_more_objects_than_a_client_can_get_in_one_call(place: Place) -> None:
    domains = {f"d{number}": {"name": f"d{number}.example"} for number in range(1001)}
    plan = place.file({"@type": "reconcile", "object": "Domain", "matchOn": ["name"], "value": domains})
    assert place.start(plan).problems == ()
    assert place.start(plan).problems == ()
    assert len(place.stored().of(DOMAIN)) == 1001


def test_the_problems_of_all_plan_files_are_told_at_once_and_nothing_is_stored(place: Place) -> None:
    good = place.file(upsert("Domain", d={"name": "example.org"}))
    bad = place.file({"@type": "upsert"}), place.file({"@type": "nonsense"})
    answer = place.start(good, *bad)
    assert (answer.plan, answer.exit_code) == (None, 2)
    assert {problem.split(" line ")[0] for problem in answer.problems} == set(bad)
    assert not list(place.directory.glob("*.sqlite3"))


def test_a_plan_file_that_cannot_be_read_is_named(place: Place) -> None:
    missing = str(place.directory / "none.ndjson")
    answer = place.start(missing)
    assert (answer.problems, answer.exit_code) == ((f"{missing}: cannot be read: No such file or directory",), 2)


def test_a_plan_may_take_the_last_http_listener_away_because_it_says_so_explicitly(place: Place) -> None:
    place.start(place.file(upsert("NetworkListener", l=LISTENER)))
    answer = place.start(place.file(upsert("NetworkListener", l={**LISTENER, "protocol": "imap"})))
    assert answer.problems == ()


def test_a_start_without_any_listener_says_so(place: Place) -> None:
    answer = place.start(place.file(upsert("Domain", d={"name": "example.org"})))
    assert answer.plan is not None
    assert "there is no listener" in answer.notes[-1]


# --- a first start --------------------------------------------------------------------------------------------------


def test_the_generated_password_is_told_even_when_the_plan_of_a_first_start_is_refused(place: Place) -> None:
    answer = place.start(place.file(upsert("NetworkListener", l={**LISTENER, "socketTtl": 0})), admin=None)
    assert answer.exit_code == 2
    assert "socketTtl" in answer.problems[1]
    password = answer.notes[0].split()[-1]
    (admin,) = place.stored().of(ACCOUNT).values()
    assert is_password_of(admin.password, Secret(password))


def test_the_first_listeners_are_made_at_the_next_start_when_the_plan_of_the_first_was_refused(place: Place) -> None:
    place.start(place.file(upsert("NetworkListener", l={**LISTENER, "socketTtl": 0})))
    assert {"smtp", "imaps", "https", "http", "lmtp"} <= set(names(place.start()))


def test_listeners_that_were_destroyed_do_not_come_back(place: Place) -> None:
    place.start()
    place.start(place.file({"@type": "destroy", "object": "NetworkListener", "value": {}}))
    assert names(place.start()) == []


def test_settings_that_an_operator_has_made_equal_to_the_defaults_stay(place: Place) -> None:
    place.start()
    place.write(
        ObjectWrite(SYSTEM_SETTINGS.name, SINGLETON_ID, SYSTEM_SETTINGS.to_stored(SystemSettings())),
    )
    place.start()
    assert place.stored().settings.default_hostname == "localhost"


# --- the administrator ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", ["admin", "admin:", ":password", "a b:password", "al@example.org:password", ""])
def test_an_administrator_whom_nobody_could_be_or_anybody_could_is_refused(place: Place, given: str) -> None:
    answer = place.start(admin=given)
    assert (answer.plan, answer.exit_code) == (None, 2)
    assert answer.problems[0].startswith("GATEPOST_ADMIN: ")


def test_the_administrator_can_sign_in_whatever_the_case_of_the_name_and_with_colons_in_the_password(
    place: Place,
) -> None:
    place.start(admin="Root:one:two")
    (account,) = place.stored().of(ACCOUNT).values()
    assert account.name == "root"
    assert is_password_of(account.password, Secret("one:two"))


# --- the self-signed certificate ------------------------------------------------------------------------------------


def test_a_renewed_certificate_keeps_its_id_because_the_settings_may_name_it(place: Place) -> None:
    place.start()
    own_id, _ = self_signed(place.stored())
    old = make_self_signed("old.example", datetime(2010, 1, 1, tzinfo=UTC))
    settings = SystemSettings(default_hostname="new.example", default_certificate_id=own_id)
    place.write(
        ObjectWrite(CERTIFICATE.name, own_id, CERTIFICATE.to_stored(old), CERTIFICATE.unique_key(old)),
        ObjectWrite(SYSTEM_SETTINGS.name, SINGLETON_ID, SYSTEM_SETTINGS.to_stored(settings)),
    )
    assert place.start().problems == ()
    new_id, new = self_signed(place.stored())
    assert new_id == own_id
    assert "new.example" in new.subject_alternative_names
    assert new.not_valid_after is not None
    assert new.not_valid_after > datetime.now(UTC)


def test_a_name_that_the_server_would_give_may_be_an_operators(place: Place) -> None:
    place.start()
    own_id, own = self_signed(place.stored())
    theirs = CERTIFICATE.to_stored(own) | {"isSelfSigned": False}
    place.write(ObjectWrite(CERTIFICATE.name, own_id, None))
    place.write(ObjectWrite(CERTIFICATE.name, Id("theirs"), theirs, CERTIFICATE.unique_key(own)))
    assert place.start().problems == ()
    assert self_signed(place.stored())[1].name is None


def test_the_secret_of_an_api_key_that_a_plan_makes_is_told_at_that_start_and_never_again(place: Place) -> None:
    domain = upsert("Domain", d={"name": "example.org"})
    people = upsert("Account", olga={"name": "olga", "domainId": "#d", "password": "a password", "role": "admin"})
    key = {**upsert("ApiKey", k={"name": "ci", "accountId": "#olga"}), "matchOn": ["accountId", "name"]}
    plan = place.file(domain, people, key, upsert("NetworkListener", l=LISTENER))
    [told] = [note for note in place.start(plan).notes if note.startswith("ApiKey ci  secret  ")]
    assert "gatepost_key_" in told
    assert not [note for note in place.start(plan).notes if "ApiKey" in note]
