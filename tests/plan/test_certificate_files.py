"""Which pair a certificate in files is served with."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tests.certificates import certificate_pem, key_pem, new_certificate, new_key

from gatepost.plan.certificate_files import files_of, pairs_in_use
from gatepost.plan.derive import derive
from gatepost.plan.plan import CertificatePlan, Plan
from gatepost.registry.certificate import CERTIFICATE, Certificate
from gatepost.registry.configuration import Configuration, ObjectRef
from gatepost.registry.declaration import SINGLETON_ID
from gatepost.registry.file_path import FileTexts, Unreadable
from gatepost.registry.system_settings import SYSTEM_SETTINGS, SystemSettings
from gatepost.values.ids import Id
from gatepost.values.secret import Secret

NOW = datetime(2030, 6, 1, 12, tzinfo=UTC)
ID = Id("c")
IN_FILES = Certificate(certificate_file="/chain", private_key_file="/key")
LAST_GOOD = CertificatePlan(
    id=ID, chain_pem="old chain", private_key_pem="old key", names=("old.example",), is_fallback=True
)


def files(*, ends: datetime = NOW + timedelta(days=9)) -> FileTexts:
    key = new_key()
    made = new_certificate("new.example", key, (NOW - timedelta(days=9), ends), names=("New.example",))
    return {"/chain": certificate_pem(made), "/key": key_pem(key)}


def plan(texts: FileTexts, running: tuple[CertificatePlan, ...] = (), **others: Certificate) -> Plan:
    certificates = {ID: IN_FILES, **{Id(name): each for name, each in others.items()}}
    configuration = Configuration.load(())
    settings = ObjectRef(SYSTEM_SETTINGS.name, SINGLETON_ID)
    configuration = configuration.replace(settings, SystemSettings(default_certificate_id=ID))
    for certificate_id, each in certificates.items():
        configuration = configuration.replace(ObjectRef(CERTIFICATE.name, certificate_id), each)
    return derive(configuration, 1, pairs_in_use(certificates, texts, running, NOW))


def test_what_the_files_hold_is_served_with_the_names_that_it_is_for() -> None:
    texts = files()
    (served,) = plan(texts, (LAST_GOOD,)).certificates
    assert (served.chain_pem, served.private_key_pem) == (texts["/chain"], texts["/key"])
    assert (served.names, served.is_fallback) == (("new.example",), True)


def test_where_the_files_cannot_be_used_or_were_not_read_the_last_good_pair_is_served() -> None:
    for texts in ({**files(), "/key": files()["/key"]}, {**files(), "/key": Unreadable("gone")}, {}):
        assert plan(texts, (LAST_GOOD,)).certificates == (LAST_GOOD,)


def test_what_has_expired_takes_the_place_of_nothing_that_runs() -> None:
    texts = files(ends=NOW)
    assert plan(texts, (LAST_GOOD,)).certificates == (LAST_GOOD,)
    assert plan(texts).certificates[0].chain_pem == texts["/chain"]


def test_without_any_good_pair_the_certificate_is_left_out_and_the_servers_own_is_the_fallback() -> None:
    own = Certificate(certificate="own", private_key=Secret("key"), is_self_signed=True)
    (served,) = plan({}, own=own).certificates
    assert (served.id, served.is_fallback) == ("own", True)


def test_the_files_are_watched_even_when_they_cannot_be_used() -> None:
    assert plan({}).watched_files == ("/chain", "/key")
    assert files_of([IN_FILES, Certificate(certificate="a", private_key=Secret("b"))]) == {"/chain", "/key"}


def test_a_pair_never_shows_its_key() -> None:
    texts = files()
    pairs = pairs_in_use({ID: IN_FILES}, texts, (), NOW)
    assert "PRIVATE" not in repr(pairs)
