"""Whose address is it, and who may log in: the directory of the stored Domain and Account objects."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence

import pytest

from gatepost.mail.directory import DirectoryAccount, NoSuchRecipient
from gatepost.mail.stored_directory import StoredDirectory
from gatepost.store.history import HistoryStore, Json, Retention
from gatepost.store.interface import ConfigurationSnapshot, ObjectChanges, ObjectWrite, StoredObject, TypeSnapshot
from gatepost.values.ids import Id
from gatepost.values.secret import Secret

HASH = "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$aGFzaA"


class FakeStore:
    """Objects in memory; counts how often they are read."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], Json] = {}
        self.states = {"Domain": 0, "Account": 0, "Other": 0}
        self.reads = 0
        self.known: dict[str, TypeSnapshot] = {}

    def put(self, object_type: str, object_id: str, **value: object) -> None:
        self.objects[object_type, object_id] = value
        self.states[object_type] += 1

    def destroy(self, object_type: str, object_id: str) -> None:
        del self.objects[object_type, object_id]
        self.states[object_type] += 1

    async def revision(self) -> int:
        return sum(self.states.values())

    async def state(self, object_type: str) -> str:
        return str(self.states[object_type])

    async def read_objects(self, object_type: str, ids: Collection[Id] | None = None) -> Sequence[StoredObject]:
        self.reads += 1
        await asyncio.sleep(0)
        return [
            StoredObject(kind, Id(object_id), value)
            for (kind, object_id), value in self.objects.items()
            if kind == object_type
        ]

    async def find_object(self, object_type: str, unique_key: str) -> StoredObject | None:
        raise NotImplementedError

    async def changes(self, object_type: str, since_state: str, max_changes: int | None = None) -> ObjectChanges | None:
        raise NotImplementedError

    async def snapshot(self, object_type: str) -> TypeSnapshot:
        raise NotImplementedError

    async def snapshots(self, object_types: Collection[str]) -> ConfigurationSnapshot:
        for name in object_types:
            state = await self.state(name)
            if name not in self.known or self.known[name].state != state:
                self.known[name] = TypeSnapshot(state, await self.read_objects(name))
        return ConfigurationSnapshot(await self.revision(), {name: self.known[name] for name in object_types})

    async def commit(
        self, writes: Sequence[ObjectWrite], *, if_revision: int | None = None, retention: Retention | None = None
    ) -> int:
        raise NotImplementedError

    @property
    def history(self) -> HistoryStore:
        raise NotImplementedError


@pytest.fixture
def store() -> FakeStore:
    store = FakeStore()
    store.put("Domain", "d1", name="example.org")
    store.put("Domain", "d2", name="Example.net")
    store.put("Account", "a0", name="admin", domainId=None, password=HASH, aliases=[], role="admin", quota=None)
    store.put(
        "Account",
        "a1",
        name="Alice",
        domainId="d1",
        password=HASH,
        role="user",
        quota=1000,
        aliases=["Sales@example.org"],
    )
    store.put("Account", "a2", name="bob", domainId="d1", password=HASH, aliases={"sales+eu@example.org": True})
    store.put("Account", "a3", name="bob", domainId="d2", password=HASH)
    return store


@pytest.fixture
def directory(store: FakeStore) -> StoredDirectory:
    return StoredDirectory(store)


async def recipient_id(directory: StoredDirectory, address: str) -> str | NoSuchRecipient:
    found = await directory.recipient(address)
    return found.id if isinstance(found, DirectoryAccount) else found


@pytest.mark.parametrize(
    ("address", "leads_to"),
    [
        ("alice@example.org", "a1"),
        ("ALICE@EXAMPLE.ORG", "a1"),
        ("sales@example.org", "a1"),
        ("bob@example.org", "a2"),
        ("bob@example.net", "a3"),
        ("alice@example.net", NoSuchRecipient.UNKNOWN),
        ("nobody@example.org", NoSuchRecipient.UNKNOWN),
        ("alice@example.com", NoSuchRecipient.NOT_LOCAL),
        ("alice@[127.0.0.1]", NoSuchRecipient.NOT_LOCAL),
        ("admin@example.org", NoSuchRecipient.UNKNOWN),
        ("admin", NoSuchRecipient.NOT_LOCAL),
        ("", NoSuchRecipient.NOT_LOCAL),
        ("@example.org", NoSuchRecipient.NOT_LOCAL),
        ("alice@example.org@example.com", NoSuchRecipient.NOT_LOCAL),
        ("alice@example.com@example.org", NoSuchRecipient.UNKNOWN),
    ],
)
async def test_an_address_leads_to(directory: StoredDirectory, address: str, leads_to: str | NoSuchRecipient) -> None:
    assert await recipient_id(directory, address) == leads_to


@pytest.mark.parametrize(
    ("address", "leads_to"),
    [
        ("alice+news@example.org", "a1"),
        ("alice+a+b@example.org", "a1"),
        ("sales+us@example.org", "a1"),
        ("sales+eu@example.org", "a2"),
        ("sales+eu+north@example.org", "a2"),
        ("alice+@example.org", "a1"),
        ("+alice@example.org", NoSuchRecipient.UNKNOWN),
        ("nobody+x@example.org", NoSuchRecipient.UNKNOWN),
    ],
)
async def test_a_detail_behind_a_plus_is_passed_over_rfc5233(
    directory: StoredDirectory, address: str, leads_to: str | NoSuchRecipient
) -> None:
    assert await recipient_id(directory, address) == leads_to


async def test_postmaster_is_the_administrator_where_nobody_has_the_name_rfc5321_section_4_5_1(
    store: FakeStore, directory: StoredDirectory
) -> None:
    for address in ("postmaster", "Postmaster@example.org", "postmaster@example.net"):
        assert await recipient_id(directory, address) == "a0"
    store.put("Account", "a4", name="carol", domainId="d2", password=HASH, role="admin")
    assert await recipient_id(directory, "postmaster@example.net") == "a4"
    assert await recipient_id(directory, "postmaster@example.org") == "a0"
    store.put("Account", "a5", name="postmaster", domainId="d2", password=HASH)
    assert await recipient_id(directory, "postmaster@example.net") == "a5"
    assert await recipient_id(directory, "postmaster") == "a5"
    assert await recipient_id(directory, "postmaster@example.com") is NoSuchRecipient.NOT_LOCAL


async def test_without_an_administrator_postmaster_is_unknown() -> None:
    store = FakeStore()
    store.put("Domain", "d1", name="example.org")
    assert await StoredDirectory(store).recipient("postmaster@example.org") is NoSuchRecipient.UNKNOWN
    assert await StoredDirectory(store).recipient("postmaster") is NoSuchRecipient.UNKNOWN


async def test_an_account_as_sessions_see_it(directory: StoredDirectory) -> None:
    assert await directory.recipient("alice@example.org") == DirectoryAccount(
        id=Id("a1"),
        login_name="alice@example.org",
        addresses=frozenset({"alice@example.org", "sales@example.org"}),
        role="user",
        password_hash=Secret(HASH),
        quota=1000,
    )


@pytest.mark.parametrize(
    ("login_name", "account_id"),
    [
        ("alice@example.org", "a1"),
        ("Alice@Example.org", "a1"),
        ("alice", "a1"),
        ("bob@example.net", "a3"),
        ("bob", None),
        ("admin", "a0"),
        ("sales@example.org", None),
        ("", None),
    ],
)
async def test_login_names(directory: StoredDirectory, login_name: str, account_id: str | None) -> None:
    account = await directory.login(login_name)
    assert (account.id if account else None) == account_id


async def test_the_built_in_administrator_has_no_address(directory: StoredDirectory) -> None:
    account = await directory.login("admin")
    assert account is not None
    assert account.addresses == frozenset()
    assert account.role == "admin"


async def test_a_name_without_domain_is_the_built_in_account_before_anybody_else(
    store: FakeStore, directory: StoredDirectory
) -> None:
    store.put("Account", "a4", name="admin", domainId="d1", password=HASH)
    account = await directory.login("admin")
    assert account is not None
    assert account.id == "a0"


async def test_an_alias_outside_of_our_domains_is_no_address(store: FakeStore, directory: StoredDirectory) -> None:
    store.put("Account", "a4", name="eve", domainId="d1", password=HASH, aliases=["ceo@example.com"])
    account = await directory.login("eve")
    assert account is not None
    assert account.addresses == {"eve@example.org"}
    assert await directory.recipient("ceo@example.com") is NoSuchRecipient.NOT_LOCAL


async def test_an_address_claimed_twice_stays_with_the_first(store: FakeStore, directory: StoredDirectory) -> None:
    store.put("Account", "a4", name="eve", domainId="d1", password=HASH, aliases=["alice@example.org"])
    assert await recipient_id(directory, "alice@example.org") == "a1"


async def test_objects_of_no_use_are_passed_over(store: FakeStore, directory: StoredDirectory) -> None:
    store.put("Domain", "d9")
    store.put("Account", "a8", domainId="d1")
    store.put("Account", "a9", name="lost", domainId="gone", password=HASH)
    assert await recipient_id(directory, "alice@example.org") == "a1"
    assert await directory.login("lost") is None


async def test_a_change_is_seen_by_the_next_call(store: FakeStore, directory: StoredDirectory) -> None:
    assert await recipient_id(directory, "carol@example.org") is NoSuchRecipient.UNKNOWN
    store.put("Account", "a4", name="carol", domainId="d1", password=HASH)
    assert await recipient_id(directory, "carol@example.org") == "a4"
    store.destroy("Domain", "d1")
    assert await recipient_id(directory, "carol@example.org") is NoSuchRecipient.NOT_LOCAL


async def test_objects_are_read_again_only_after_a_change_of_them(store: FakeStore, directory: StoredDirectory) -> None:
    await directory.recipient("alice@example.org")
    reads = store.reads
    for _ in range(3):
        await directory.login("alice")
    store.put("Other", "x")
    await directory.recipient("alice@example.org")
    assert store.reads == reads
    store.put("Account", "a4", name="carol", domainId="d1", password=HASH)
    await directory.recipient("alice@example.org")
    assert store.reads == reads + 1


async def test_many_at_once_read_the_objects_once(store: FakeStore, directory: StoredDirectory) -> None:
    await asyncio.gather(*(directory.recipient("alice@example.org") for _ in range(20)))
    assert store.reads == 2
