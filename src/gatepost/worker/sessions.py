"""Makes the conversation of a connection: the engine and the reactions of its listener's protocol."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from gatepost.mail.delivery import Deliverer
from gatepost.mail.directory import Directory
from gatepost.mail.quota import AccountQuota
from gatepost.plan.plan import ProtocolName
from gatepost.protocols.imap.engine import ImapEngine
from gatepost.protocols.imap.settings import ImapSettings
from gatepost.protocols.managesieve.engine import ManageSieveEngine
from gatepost.protocols.managesieve.settings import ManageSieveSettings
from gatepost.protocols.pop3.engine import Pop3Engine
from gatepost.protocols.pop3.settings import Pop3Settings
from gatepost.protocols.smtp.engine import SmtpEngine
from gatepost.protocols.smtp.settings import LMTP, SMTP, Dialect, SmtpLimits, SmtpSettings
from gatepost.session.conversation import Conversation
from gatepost.session.http_session import HttpServer
from gatepost.session.imap_reactions import ImapReactions
from gatepost.session.mailbox_watch import MailboxWatch
from gatepost.session.managesieve_reactions import ManageSieveReactions
from gatepost.session.pop3_reactions import Pop3Reactions
from gatepost.session.reactions import Authenticator, Opening, ProtocolParts
from gatepost.session.recent_messages import RecentMessages
from gatepost.session.smtp_reactions import SmtpReactions
from gatepost.store.interface import MailStore, MessageEntry, ScriptStore
from gatepost.worker.connection import Connection, Session

_USELESS_WITHOUT_LOGIN = frozenset({ProtocolName.IMAP, ProtocolName.POP3, ProtocolName.MANAGESIEVE})
_LOGIN_DEADLINE = 300.0  # seconds; a client that sends an octet now and then would stay for ever otherwise


@dataclass(frozen=True, slots=True)
class Services:
    """What the conversations of a worker share."""

    authenticator: Authenticator
    directory: Directory
    mail: MailStore
    scripts: ScriptStore
    watch: MailboxWatch


MakeParts = Callable[[Connection], ProtocolParts]


class ProtocolSessions:
    """See worker.listener.Sessions. `conversations` makes engine and reactions of every protocol that is spoken, `http` is what
    speaks that one. Whoever makes a plan sees to it that its listeners ask for nothing else."""

    def __init__(self, conversations: Mapping[ProtocolName, MakeParts], http: HttpServer | None) -> None:
        self._conversations = conversations
        self._http = http
        self._left_behind: set[asyncio.Task[None]] = set()

    def session(self, connection: Connection) -> Session:
        """The conversation, HTTP or other. Raises LookupError for a protocol that is not spoken."""
        plan = connection.policy.plan
        if plan.protocol is ProtocolName.HTTP:
            if self._http is None:
                raise LookupError("nothing answers HTTP here")
            return self._http.session(plan.id)
        policy = connection.policy
        may_log_in_in_clear = policy.may_log_in_in_clear(connection.transport.info)
        opening = policy.openings.get(may_log_in_in_clear)
        if opening is None:
            opening = policy.openings[may_log_in_in_clear] = self._opening(connection)
        return Conversation(plan.protocol, opening, connection)

    def _opening(self, connection: Connection) -> Opening:
        engine = self.parts(connection).engine
        engine.start()
        deadline = _LOGIN_DEADLINE if connection.policy.plan.protocol in _USELESS_WITHOUT_LOGIN else None
        return Opening(engine.data_to_send(), engine.idle_timeout, engine.state_name, deadline)

    def parts(self, connection: Connection) -> ProtocolParts:
        """Engine and reactions of any protocol but HTTP. Raises LookupError for one that is not spoken."""
        return self._conversations[connection.policy.plan.protocol](connection)

    def left_behind(self, task: asyncio.Task[None]) -> None:
        """See Sessions."""
        self._left_behind.add(task)
        task.add_done_callback(self._left_behind.discard)

    async def settle(self, seconds: float) -> None:
        """What still runs although its client is gone (a delivery, a request) has so many `seconds`, then it is cancelled. For a
        process that goes on without the worker."""
        running = self._running()
        if running:
            await asyncio.wait(running, timeout=seconds)
            self.give_up()
            await asyncio.gather(*running, return_exceptions=True)

    def give_up(self) -> None:
        """Cancel it now."""
        for task in self._running():
            task.cancel()

    def _running(self) -> list[asyncio.Task[None]]:
        return [*self._left_behind, *(() if self._http is None else self._http.state.tasks)]


class MailConversations:
    """The five protocols of the mail server."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._recent_messages = RecentMessages(services.mail)

    def by_protocol(self) -> dict[ProtocolName, MakeParts]:
        """What ProtocolSessions takes."""
        return {
            ProtocolName.SMTP: lambda connection: self._smtp(connection, SMTP),
            ProtocolName.LMTP: lambda connection: self._smtp(connection, LMTP),
            ProtocolName.IMAP: self._imap,
            ProtocolName.POP3: self._pop3,
            ProtocolName.MANAGESIEVE: self._managesieve,
        }

    def _smtp(self, connection: Connection, dialect: Dialect) -> ProtocolParts:
        services, policy = self._services, connection.policy
        settings = smtp_settings(connection, dialect)
        engine = SmtpEngine(settings)
        deliverer = Deliverer(services.mail, services.directory, policy.hostname, quota=AccountQuota(services.mail))
        return ProtocolParts(
            engine,
            lambda link: SmtpReactions(engine, link, services.authenticator, services.directory, deliverer, settings),
        )

    def _imap(self, connection: Connection) -> ProtocolParts:
        services = self._services
        settings = _imap_settings(connection.policy.max_message_size, *_facts(connection))
        engine: ImapEngine[MessageEntry] = ImapEngine(settings)
        return ProtocolParts(
            engine,
            lambda link: ImapReactions(
                engine, link, services.authenticator, services.mail, services.watch, self._recent_messages
            ),
        )

    def _pop3(self, connection: Connection) -> ProtocolParts:
        services, settings = self._services, _pop3_settings(*_facts(connection))
        engine = Pop3Engine(settings)
        return ProtocolParts(
            engine,
            lambda link: Pop3Reactions(
                engine, link, services.authenticator, services.mail, settings, self._recent_messages
            ),
        )

    def _managesieve(self, connection: Connection) -> ProtocolParts:
        services, settings = self._services, _managesieve_settings(*_facts(connection))
        engine = ManageSieveEngine(settings)
        return ProtocolParts(
            engine,
            lambda link: ManageSieveReactions(engine, link, services.authenticator, services.scripts, settings),
        )


# --- what engines are told; the same values for all connections of a policy, so they are made once -----------------------

_Facts = tuple[str, bool, bool, bool]


def _facts(connection: Connection) -> _Facts:
    """Host name; whether TLS is offered; whether it is there from the first octet; whether one may log in in clear."""
    policy = connection.policy
    return (
        policy.hostname,
        policy.offers_tls,
        policy.plan.is_tls_implicit,
        policy.may_log_in_in_clear(connection.transport.info),
    )


def smtp_settings(connection: Connection, dialect: Dialect, *, offers_auth: bool = True) -> SmtpSettings:
    """What an SMTP or LMTP conversation on this connection is told."""
    return _smtp_settings(dialect, offers_auth, connection.policy.max_message_size, *_facts(connection))


@lru_cache(maxsize=256)
def _smtp_settings(
    dialect: Dialect,
    offers_auth: bool,
    max_message_size: int,
    hostname: str,
    offers_tls: bool,
    is_tls: bool,
    may_auth_in_clear: bool,
) -> SmtpSettings:
    return SmtpSettings(
        hostname=hostname,
        dialect=dialect,
        offers_tls=offers_tls,
        is_tls=is_tls,
        offers_auth=offers_auth,
        may_auth_in_clear=may_auth_in_clear,
        limits=replace(SmtpLimits(), message_octets=max_message_size),
    )


@lru_cache(maxsize=256)
def _imap_settings(
    max_message_size: int, hostname: str, offers_tls: bool, is_tls: bool, may_auth_in_clear: bool
) -> ImapSettings:
    return ImapSettings(
        hostname=hostname,
        offers_tls=offers_tls,
        is_tls=is_tls,
        may_auth_in_clear=may_auth_in_clear,
        max_message_size=max_message_size,
    )


@lru_cache(maxsize=256)
def _pop3_settings(hostname: str, offers_tls: bool, is_tls: bool, may_auth_in_clear: bool) -> Pop3Settings:
    return Pop3Settings(hostname=hostname, offers_tls=offers_tls, is_tls=is_tls, may_auth_in_clear=may_auth_in_clear)


@lru_cache(maxsize=256)
def _managesieve_settings(
    hostname: str, offers_tls: bool, is_tls: bool, may_auth_in_clear: bool
) -> ManageSieveSettings:
    return ManageSieveSettings(
        hostname=hostname, offers_tls=offers_tls, is_tls=is_tls, may_auth_in_clear=may_auth_in_clear
    )
