"""The whole mail server in a Python program: SMTP, LMTP, IMAP, POP3, ManageSieve and HTTP with the management API, on a store that
is gone when the server is. For tests of mail programs, above all; `gatepost.pytest_plugin` makes a fixture of it.
"""

from __future__ import annotations

import asyncio
import email.policy
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from email.message import EmailMessage
from email.parser import BytesParser
from functools import partial
from pathlib import Path
from typing import Any, Unpack

from argon2 import PasswordHasher

from gatepost.compose.mail_sessions import give_mail_sessions
from gatepost.embedding.configuration import CertificatePair, first_configuration
from gatepost.embedding.leaving import to_the_end
from gatepost.embedding.listener import (
    Listener,
    ListenerFields,
    Protocol,
    Settings,
    changed_listener,
    changed_settings,
    new_listener,
    python_name,
)
from gatepost.embedding.log import events_to_logging
from gatepost.embedding.one_process import OneProcess
from gatepost.embedding.refused import Objection, Refused, name_taken
from gatepost.embedding.server import DRAIN_TIMEOUT, with_ports
from gatepost.embedding.smtp_handler import Address
from gatepost.embedding.temporary_store import temporary_store, writes_of
from gatepost.mail.directory import NoSuchRecipient
from gatepost.mail.stored_directory import StoredDirectory
from gatepost.management.local_calls import LocalCalls
from gatepost.management.state_watch import StateWatch
from gatepost.management.stored_configuration import load_configuration
from gatepost.management.web_session_key import ensure_web_session_key
from gatepost.plan.derive import derive
from gatepost.registry.change import ChangeCause
from gatepost.registry.domain import DOMAIN
from gatepost.registry.network_listener import NETWORK_LISTENER, NetworkListener
from gatepost.registry.system_settings import SystemSettings
from gatepost.session.mailbox_watch import MailboxWatch
from gatepost.session.password_hash import hash_to_store
from gatepost.store.sql_store import SqlStore
from gatepost.values.ids import Id

_CERTIFICATE_FILE = "certificate.pem"


def _loopback(name: str, protocol: Protocol, *, use_tls: bool = True, tls_implicit: bool = False) -> Listener:
    return Listener(name=name, bind=["127.0.0.1:0"], protocol=protocol, use_tls=use_tls, tls_implicit=tls_implicit)


EVERY_PROTOCOL = (
    _loopback("smtp", "smtp"),
    _loopback("submissions", "smtp", tls_implicit=True),
    _loopback("lmtp", "lmtp", use_tls=False),
    _loopback("imap", "imap"),
    _loopback("imaps", "imap", tls_implicit=True),
    _loopback("pop3", "pop3"),
    _loopback("pop3s", "pop3", tls_implicit=True),
    _loopback("sieve", "manageSieve"),
    _loopback("http", "http", use_tls=False),
    _loopback("https", "http", tls_implicit=True),
)
"""One listener of each kind, on ports that the system chooses."""


class MailServer:
    """Made by `mail_server`. All methods are for the event loop that it was made in."""

    def __init__(self, process: OneProcess, store: SqlStore, calls: LocalCalls, directory: Path) -> None:
        self._process = process
        self._store = store
        self._calls = calls
        self._directory = StoredDirectory(store.configuration)
        self._listeners: dict[str, tuple[Id, NetworkListener]] = {}
        self.certificate_file = directory / _CERTIFICATE_FILE
        """What clients have to trust, as a PEM file; it is for `localhost` and the loopback addresses."""

    # --- listeners

    def address(self, name: str) -> Address:
        """Where a listener listens. Raises LookupError."""
        first = self._listener(name)[1].bind[0]
        return Address(str(first.ip), first.port)

    def url(self, name: str) -> str:
        """Of an http listener."""
        return f"{'https' if self._listener(name)[1].tls_implicit else 'http'}://{self.address(name)}"

    def _listener(self, name: str) -> tuple[Id, NetworkListener]:
        if name not in self._listeners:
            raise LookupError(f"there is no listener {name!r}; there are: {', '.join(self._listeners) or 'none'}")
        return self._listeners[name]

    async def add(self, *listeners: Listener) -> None:
        """More listeners. Raises Refused, with those that could not be added; the others are there."""
        names = [listener.name for listener in listeners]
        if double := {name for name in names if name in self._listeners or names.count(name) > 1}:
            raise Refused(*(name_taken(name) for name in sorted(double)))
        try:
            wanted = {each.name: with_ports(self._process.table, new_listener(each)) for each in listeners}
            creates = {f"l{number}": _wire(listener) for number, listener in enumerate(wanted.values())}
            answer = await self.api("x:NetworkListener/set", {"create": creates})
        finally:
            self._process.table.release_reserved()
        for number, (name, listener) in enumerate(wanted.items()):
            if (created := (answer["created"] or {}).get(f"l{number}")) is not None:
                self._listeners[name] = Id(created["id"]), listener
        _raise_refused(answer["notCreated"], {Id(f"l{number}"): name for number, name in enumerate(wanted)})

    async def update(
        self, name: str, /, *, bind: Collection[str | Address] | None = None, **changes: Unpack[ListenerFields]
    ) -> None:
        """Other fields of a listener, through the management API. Raises Refused, LookupError."""
        listener_id, current = self._listener(name)
        try:
            wanted = with_ports(self._process.table, changed_listener(current, bind, changes))
            arguments = {"update": {listener_id: _wire(wanted)}, "allowLockOut": True}
            answer = await self.api("x:NetworkListener/set", arguments)
        finally:
            self._process.table.release_reserved()
        _raise_refused(answer["notUpdated"], {listener_id: name})
        self._listeners[name] = listener_id, wanted

    async def remove(self, *names: str) -> None:
        """Accept no more there; open connections go on. Raises LookupError."""
        ids = {self._listener(name)[0]: name for name in names}
        answer = await self.api("x:NetworkListener/set", {"destroy": list(ids), "allowLockOut": True})
        _raise_refused(answer["notDestroyed"], ids)
        for name in names:
            del self._listeners[name]

    # --- accounts and mail

    async def add_account(self, address: str, password: str, *, role: str = "user") -> None:
        """An account that receives mail and logs in under its address; its domain is made where it is missing. `role`: user,
        operator or admin. Raises Refused."""
        name, _, domain = address.rpartition("@")
        if not name or not domain:
            raise Refused(Objection(address, "address", f"{address!r} is not an address: write alice@example.org"))
        account = {"name": name, "domainId": await self._domain(domain), "password": password, "role": role}
        answer = await self.api("x:Account/set", {"create": {"a": account}})
        _raise_refused(answer["notCreated"], {Id("a"): address})

    async def _domain(self, name: str) -> Id:
        _, configuration = await load_configuration(self._store.configuration)
        for domain_id, domain in configuration.of(DOMAIN).items():
            if domain.name == name.lower():
                return domain_id
        answer = await self.api("x:Domain/set", {"create": {"d": {"name": name}}})
        _raise_refused(answer["notCreated"], {Id("d"): name})
        return Id(answer["created"]["d"]["id"])

    async def messages(self, address: str, mailbox: str = "INBOX") -> list[EmailMessage]:
        """What is in a mailbox of the account that the address leads to, in order of arrival. Raises LookupError."""
        parser = BytesParser(policy=email.policy.default)
        return [parser.parsebytes(content) for content in await self.contents(address, mailbox)]

    async def contents(self, address: str, mailbox: str = "INBOX") -> list[bytes]:
        """The same, octet by octet, with the trace fields that delivery has put in front."""
        account = await self._directory.recipient(address)
        if isinstance(account, NoSuchRecipient):
            raise LookupError(f"no account has the address {address}: {account.value}")  # noqa: TRY004 - a value, as the port has it
        found = await self._store.mail.mailbox(account.id, mailbox)
        if found is None:
            raise LookupError(f"{address} has no mailbox {mailbox!r}")
        _, entries = await self._store.mail.messages(found.id)
        return [await self._store.mail.content(entry.content_id) for entry in entries]

    async def api(self, method: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """A method of the management API, as an administrator: `api("x:Account/get", {"ids": None})`; see docs/api.md.
        Raises MethodError."""
        return await self._calls.call(method, arguments)


def _wire(listener: NetworkListener) -> dict[str, object]:
    return NETWORK_LISTENER.to_wire(listener)


def _raise_refused(errors: Mapping[str, Mapping[str, Any]] | None, names: Mapping[Id, str]) -> None:
    """`names`: what the objects of a /set are called here, by the keys that it was given."""
    if errors:
        raise Refused(*(_objection(names[Id(key)], error) for key, error in errors.items()))


def _objection(name: str, error: Mapping[str, Any]) -> Objection:
    properties = error.get("properties") or [error["type"]]
    description = (error.get("description") or error["type"]).removeprefix(f"{properties[0]}: ")
    return Objection(name, ", ".join(python_name(each) for each in properties), description)


@asynccontextmanager
async def mail_server(
    listeners: Sequence[Listener] = EVERY_PROTOCOL,
    *,
    certificates: Sequence[CertificatePair] = (),
    settings: Settings | None = None,
    hasher: PasswordHasher | None = None,
    drain_timeout: float = DRAIN_TIMEOUT,
) -> AsyncIterator[MailServer]:
    """A fresh mail server without accounts, until the block is left; no file is left behind. Raises Refused.

    `hasher`: what passwords are hashed with, where that must not cost what it costs an attacker, as in tests.
    """
    first = first_configuration(changed_settings(SystemSettings(), settings or {}), certificates)
    hash_password = hash_to_store if hasher is None else partial(hash_to_store, hasher=hasher)
    async with AsyncExitStack() as stack:
        stack.enter_context(events_to_logging())
        directory = stack.enter_context(temporary_store())
        served = next(iter(first.certificates.values()))
        (directory / _CERTIFICATE_FILE).write_text(served.certificate or "")
        watches = MailboxWatch(_nobody_else), StateWatch(_nobody_else)
        store = _opened(directory, *watches)
        stack.push_async_callback(to_the_end, store.close)
        await ensure_web_session_key(store.configuration)
        process = OneProcess(derive(first, await store.configuration.commit(writes_of(first))))
        stack.push_async_callback(to_the_end, partial(process.close, drain_timeout), process.cut_off)
        await process.open()
        sessions, authenticator = await give_mail_sessions(process.worker, store, *watches, hash_password)
        process.serve(sessions)
        stack.push_async_callback(to_the_end, partial(asyncio.to_thread, authenticator.close))
        applier, delete_mail = process.worker.applier, store.mail.delete_account
        cause, connections = ChangeCause.PROGRAM, process.worker.connections
        calls = LocalCalls(store.configuration, applier, delete_mail, hash_password, cause, connections=connections)
        server = MailServer(process, store, calls, directory)
        await server.add(*listeners)
        yield server


def _opened(directory: Path, mailboxes: MailboxWatch, states: StateWatch) -> SqlStore:
    return SqlStore.open(directory, on_mailboxes_changed=mailboxes.changed_here, on_types_changed=states.changed_here)


def _nobody_else(_names: Collection[Id]) -> None:
    """There is one worker."""
