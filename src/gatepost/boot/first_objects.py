"""What a first start puts into the store. Each step looks first, so that a start after a crash completes it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import msgspec

from gatepost.boot import demo
from gatepost.boot.administrator import Administrator
from gatepost.boot.first_listeners import demo_listeners, first_listeners
from gatepost.boot.self_signed import host_name, make_self_signed
from gatepost.management.recording import object_write
from gatepost.management.stored_configuration import load_configuration
from gatepost.management.web_session_key import ensure_web_session_key
from gatepost.registry.account import ACCOUNT, Account, Role
from gatepost.registry.certificate import CERTIFICATE
from gatepost.registry.change import ChangeCause
from gatepost.registry.configuration import Configuration
from gatepost.registry.declaration import SINGLETON_ID, ObjectType
from gatepost.registry.domain import DOMAIN, Domain
from gatepost.registry.network_listener import NETWORK_LISTENER
from gatepost.registry.system_settings import SYSTEM_SETTINGS, SystemSettings
from gatepost.session.password_hash import hash_password, is_password_of
from gatepost.store.history import Author
from gatepost.store.interface import NEVER_CHANGED, Broken, NewMessage, ObjectWrite
from gatepost.store.new_id import new_id
from gatepost.store.sql_store import SqlStore
from gatepost.values.ids import Id
from gatepost.values.secret import Secret

T = TypeVar("T", bound=msgspec.Struct)

_ADMIN = "admin"


@dataclass(slots=True)
class FirstObjects:
    """Collects what is missing; `save` writes it in one transaction, and then the `messages`: account and content, for INBOX.
    `notes` are for the operator's eyes."""

    store: SqlStore
    configuration: Configuration
    has_settings: bool
    had_listeners: bool  # ever, so that nobody gets them back who has destroyed them
    writes: list[ObjectWrite]
    notes: list[str]
    messages: list[tuple[Id, bytes]]
    domains: dict[Id, Domain]

    @classmethod
    async def begin(cls, store: SqlStore) -> FirstObjects:
        """Look at what is there."""
        _, configuration = await load_configuration(store.configuration)
        has_settings = await store.configuration.state(SYSTEM_SETTINGS.name) != NEVER_CHANGED
        had_listeners = await store.configuration.state(NETWORK_LISTENER.name) != NEVER_CHANGED
        return cls(store, configuration, has_settings, had_listeners, [], [], [], dict(configuration.of(DOMAIN)))

    async def save(self) -> None:
        """Write what was added."""
        await ensure_web_session_key(self.store.configuration)
        if self.writes:
            await self.store.configuration.commit(self.writes)
        if self.messages:
            await self.store.mail.append([await self._in_inbox(*message) for message in self.messages])

    async def _in_inbox(self, account_id: Id, content: bytes) -> NewMessage:
        inbox = await self.store.mail.mailbox(account_id, "INBOX")
        if inbox is None:
            raise Broken(f"account {account_id} has no INBOX")
        return NewMessage(inbox.id, content)

    @property
    def _author(self) -> Author:
        return Author(at=datetime.now(UTC), cause=ChangeCause.FIRST_START if self.is_first_start else ChangeCause.START)

    def _add(self, object_type: ObjectType[T], value: T, object_id: Id | None = None) -> Id:
        object_id = object_id or new_id()
        before = None if object_type.is_singleton else self.configuration.of(object_type).get(object_id)
        write = object_write(self._author, object_type, object_id, before, value, domains=self.domains)
        self.writes.append(write)
        return object_id

    @property
    def is_first_start(self) -> bool:
        """Whether nobody could sign in so far: nothing was ever configured here."""
        return not self.configuration.of(ACCOUNT)

    def settings(self) -> None:
        """The host name, which everything that greets needs."""
        if not self.has_settings:
            self._add(SYSTEM_SETTINGS, SystemSettings(default_hostname=host_name()), SINGLETON_ID)

    def self_signed_certificate(self) -> None:
        """Where the server has none of its own, or the one it has ends within a month."""
        now = datetime.now(UTC)
        own_id: Id | None = None  # what takes the place of another keeps its id: the settings may name it
        for certificate_id, certificate in self.configuration.certificates.items():
            if certificate.is_self_signed and certificate.not_valid_after is not None:
                if (certificate.not_valid_after - now).days >= 30:
                    return
                own_id = certificate_id
        name = self.configuration.settings.default_hostname
        made = make_self_signed(name if name != "localhost" else host_name(), now)
        others = [
            CERTIFICATE.unique_key(each) for id_, each in self.configuration.certificates.items() if id_ != own_id
        ]
        if CERTIFICATE.unique_key(made) in others:
            made = msgspec.structs.replace(made, name=None)
        self._add(CERTIFICATE, made, own_id)

    def admin(self, given: Administrator | None) -> None:
        """The account that `GATEPOST_ADMIN` names, with that password; else, at a first start, one with a new password."""
        if given is not None:
            self._account_with(given.name, given.password.reveal(), Role.ADMIN)
        elif self.is_first_start:
            password = demo.new_password()
            self._account_with(_ADMIN, password, Role.ADMIN)
            self._note_account(_ADMIN, password)
            self.notes.append("(this password is shown once; GATEPOST_ADMIN=user:password sets another at any start)")

    def _account_with(self, name: str, password: str, role: Role, domain_id: Id | None = None) -> Id:
        for account_id, account in self.configuration.of(ACCOUNT).items():
            if account.name == name and account.domain_id == domain_id:
                if is_password_of(account.password, Secret(password)) and account.role is role:
                    return account_id
                changed = msgspec.structs.replace(account, password=Secret(hash_password(password)), role=role)
                return self._add(ACCOUNT, changed, account_id)
        account = Account(name=name, domain_id=domain_id, password=Secret(hash_password(password)), role=role)
        return self._add(ACCOUNT, account)

    def listeners(self, *, is_demo: bool) -> None:
        """The listeners of a first start."""
        for listener in demo_listeners() if is_demo else first_listeners():
            self._add(NETWORK_LISTENER, listener)

    def demonstration(self, data_directory: Path, *, has_admin: bool) -> None:
        """Domain, people and mail of the demonstration. `has_admin`: the administrator is named elsewhere."""
        passwords = demo.passwords(data_directory, (_ADMIN, *demo.PEOPLE))
        if not has_admin:
            self._account_with(_ADMIN, passwords[_ADMIN], Role.ADMIN)
            self._note_account(_ADMIN, passwords[_ADMIN])
        domain_id = self._demo_domain()
        accounts: dict[str, Id] = {}
        for name in demo.PEOPLE:
            accounts[name] = self._account_with(name, passwords[name], Role.USER, domain_id)
            self._note_account(f"{name}@{demo.DOMAIN}", passwords[name])
        if self.is_first_start:
            self.messages += [(accounts[message.owner], message.content) for message in demo.messages()]

    def _note_account(self, login_name: str, password: str) -> None:
        self.notes.append(f"account  {login_name:<20}  password  {password}")

    def _demo_domain(self) -> Id:
        for domain_id, domain in self.configuration.of(DOMAIN).items():
            if domain.name == demo.DOMAIN:
                return domain_id
        domain = Domain(name=demo.DOMAIN)
        domain_id = self._add(DOMAIN, domain)
        self.domains[domain_id] = domain
        return domain_id
