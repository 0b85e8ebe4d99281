"""Listeners in a Python program: `listen` starts them, the `Server` tells where they are and changes them while they run.

A change goes the way of a change of the server: validated by the registry, checked against the other listeners, derived, prepared
for real, then applied, or refused with nothing changed. What is missing is the store: the configuration lives in memory.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Unpack

from msgspec import structs
from starlette.types import ASGIApp

from gatepost.embedding.configuration import (
    SETTINGS,
    CertificatePair,
    first_configuration,
    refusal,
    with_certificates,
    with_listeners,
)
from gatepost.embedding.handler_reactions import HandlerConversations
from gatepost.embedding.leaving import to_the_end
from gatepost.embedding.lifespan import Lifespan
from gatepost.embedding.listener import (
    Listener,
    ListenerFields,
    Settings,
    changed_listener,
    changed_settings,
    new_listener,
    python_name,
)
from gatepost.embedding.log import events_to_logging
from gatepost.embedding.one_process import OneProcess
from gatepost.embedding.refused import Objection, Refused, name_taken
from gatepost.embedding.smtp_handler import Address, Authenticate, MessageCallback, SmtpHandler, handler_of
from gatepost.management.applying import ApplyFailure, ListenerStatus
from gatepost.plan.derive import derive, socket_plan
from gatepost.plan.plan import ProtocolName
from gatepost.registry.configuration import Configuration
from gatepost.registry.network_listener import NetworkListener
from gatepost.registry.system_settings import SystemSettings
from gatepost.session.http_session import HttpServer
from gatepost.supervisor.socket_table import SocketTable
from gatepost.values.ids import Id
from gatepost.worker.sessions import ProtocolSessions

DRAIN_TIMEOUT = 5.0  # seconds that clients have to come to an end when a server is closed


class Server:
    """Made by `listen`. All methods are for the event loop that it was made in."""

    def __init__(self, process: OneProcess, configuration: Configuration, spoken: Collection[ProtocolName]) -> None:
        self._process = process
        self._configuration = configuration
        self._spoken = spoken
        self._revision = 0
        self._lock = asyncio.Lock()

    # --- what there is

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the listeners."""
        return tuple(self._configuration.listeners)

    def addresses(self, name: str) -> tuple[Address, ...]:
        """Where a listener listens, with the ports that the system has chosen. Raises LookupError."""
        return tuple(Address(str(each.ip), each.port) for each in self._listener(name).bind)

    def address(self, name: str) -> Address:
        """The first of them: `smtplib.SMTP(*server.address("in"))`."""
        return self.addresses(name)[0]

    def url(self, name: str) -> str:
        """Of an http listener: `http://127.0.0.1:40123`, `https://…` where TLS is there from the first octet."""
        return f"{'https' if self._listener(name).tls_implicit else 'http'}://{self.address(name)}"

    @property
    def certificate(self) -> str:
        """The chain that clients who name no host are shown, as PEM. Where it is self-signed (none was given) it is what they
        have to trust; it is for the host name, `localhost` and the loopback addresses."""
        return next(iter(self._configuration.certificates.values())).certificate or ""

    async def status(self, name: str) -> ListenerStatus:
        """What the kernel and the counts say of a listener; also of one that was removed and still has connections. Raises
        LookupError."""
        for status in await self._process.worker.applier.statuses():
            if status.name == name:
                return status
        raise LookupError(f"there is no listener {name!r}")

    def _listener(self, name: str) -> NetworkListener:
        listener = self._configuration.listeners.get(Id(name))
        if listener is None:
            raise LookupError(f"there is no listener {name!r}; there are: {', '.join(self.names) or 'none'}")
        return listener

    # --- changes

    async def add(self, *listeners: Listener) -> None:
        """More listeners, all or none. Raises Refused."""
        names = [listener.name for listener in listeners]
        async with self._lock:
            taken = {each.casefold() for each in self.names}
            if double := [name for name in names if name.casefold() in taken or names.count(name) > 1]:
                raise Refused(*(name_taken(name) for name in double))
            await self._change({listener.name: new_listener(listener) for listener in listeners})

    async def update(
        self, name: str, /, *, bind: Collection[str | Address] | None = None, **changes: Unpack[ListenerFields]
    ) -> None:
        """Other fields of a listener, from the next connection on or at once (docs/listener-fields.md). Open connections go on as
        they are. `bind` replaces all addresses; those that stay are not touched. Raises Refused, LookupError."""
        async with self._lock:
            await self._change({name: changed_listener(self._listener(name), bind, changes)})

    async def remove(self, *names: str) -> None:
        """Accept no more there; open connections go on until they end, or until the setting `drain_timeout`. Raises LookupError."""
        async with self._lock:
            for name in names:
                self._listener(name)
            await self._change(dict.fromkeys(names))

    async def update_settings(self, **changes: Unpack[Settings]) -> None:
        """What holds for all listeners. Raises Refused."""
        async with self._lock:
            settings = changed_settings(self._configuration.settings, changes)
            await self._run(self._configuration.replace(SETTINGS, settings), ())

    async def replace_certificates(self, pairs: Sequence[CertificatePair]) -> None:
        """Served from the next connection on; the first is for clients that name no host. Raises Refused."""
        async with self._lock:
            await self._run(with_certificates(self._configuration, pairs), ())

    async def _change(self, changed: Mapping[str, NetworkListener | None]) -> None:
        if unspoken := [each for each in changed.values() if each is not None and not self._speaks(each)]:
            raise Refused(*(_nobody_answers(each) for each in unspoken))
        try:
            bound = {name: each and with_ports(self._process.table, each) for name, each in changed.items()}
            await self._run(with_listeners(self._configuration, bound), changed)
        finally:
            self._process.table.release_reserved()

    def _speaks(self, listener: NetworkListener) -> bool:
        return ProtocolName(listener.protocol.value) in self._spoken

    async def _run(self, wanted: Configuration, names: Collection[str]) -> None:
        refused = refusal(self._configuration, wanted, names)
        if refused is not None:
            raise refused
        async with self._process.worker.applier.change() as change:
            if failures := await change.prepare(derive(wanted, self._revision + 1)):
                raise Refused(*(_cannot_run(failure) for failure in failures))
            self._revision += 1
            self._configuration = wanted
            await change.activate(self._revision)


def with_ports(table: SocketTable, listener: NetworkListener) -> NetworkListener:
    """With ports that the system has chosen, and keeps for us, in the place of port 0. Raises Refused."""
    chosen = []
    for address in listener.bind:
        try:
            chosen.append(address if address.port else table.reserve(address, socket_plan(listener)))
        except OSError as error:
            raise Refused(Objection(listener.name, "bind", f"{address} cannot be bound: {error}")) from None
    return structs.replace(listener, bind=tuple(chosen))


def _nobody_answers(listener: NetworkListener) -> Objection:
    protocol = listener.protocol.value
    if ProtocolName(protocol) in (ProtocolName.SMTP, ProtocolName.LMTP, ProtocolName.HTTP):
        words = f"nobody answers {protocol} here: give {protocol}= to listen()"
    else:
        words = f"{protocol} needs a mail server behind it: use gatepost.mail_server()"
    return Objection(listener.name, "protocol", words)


def _cannot_run(failure: ApplyFailure) -> Objection:
    return Objection(failure.object_id, python_name(failure.property_name), failure.description, failure.errno_name)


@asynccontextmanager
async def listen(  # noqa: PLR0913 - all but the first are named, and have defaults
    listeners: Sequence[Listener] = (),
    *,
    smtp: SmtpHandler | MessageCallback | None = None,
    lmtp: SmtpHandler | MessageCallback | None = None,
    http: ASGIApp | None = None,
    authenticate: Authenticate | None = None,
    certificates: Sequence[CertificatePair] = (),
    settings: Settings | None = None,
    drain_timeout: float = DRAIN_TIMEOUT,
) -> AsyncIterator[Server]:
    """Listen, in this process and this event loop, until the block is left. Raises Refused: then nothing listens.

    `smtp`, `lmtp`: who takes mail. `http`: an ASGI application; it hears of start and end (lifespan). Without `certificates` one is
    made for this server. On leaving, clients are told in their protocol and have `drain_timeout` seconds; handlers that still
    run then are cancelled.

        async with gatepost.listen([Listener(name="in", protocol="smtp", bind=["127.0.0.1:0"])], smtp=on_message) as server:
            host, port = server.address("in")
    """
    given = {ProtocolName.SMTP: smtp, ProtocolName.LMTP: lmtp}
    handlers = {protocol: handler_of(protocol.value, each) for protocol, each in given.items() if each is not None}
    conversations = HandlerConversations(handlers, authenticate)
    first = first_configuration(changed_settings(SystemSettings(), settings or {}), certificates)
    async with AsyncExitStack() as stack:
        stack.enter_context(events_to_logging())
        http_server = None if http is None else await _http_server(http, stack)
        process = OneProcess(derive(first, 0))
        stack.push_async_callback(to_the_end, partial(process.close, drain_timeout), process.cut_off)
        await process.open()
        process.serve(ProtocolSessions(conversations.by_protocol(), http_server))
        server = Server(process, first, {*handlers, *([] if http is None else [ProtocolName.HTTP])})
        await server.add(*listeners)
        yield server


async def _http_server(application: ASGIApp, stack: AsyncExitStack) -> HttpServer:
    if not callable(application):
        raise TypeError(f"http= takes an ASGI application, not {application!r}")
    lifespan = Lifespan(application)
    await lifespan.start()
    stack.push_async_callback(to_the_end, lifespan.stop)
    return HttpServer(application, lifespan.state)
