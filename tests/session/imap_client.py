"""Drives IMAP engines and reactions as a conversation does, without a transport: one client of a store in memory."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from ipaddress import ip_address

from tests.session.memory_mail_store import MemoryMailStore
from tests.session.one_account import Gatekeeper

from gatepost.protocols.engine import Close
from gatepost.protocols.imap.engine import ImapEngine
from gatepost.protocols.imap.settings import ImapSettings
from gatepost.session.imap_reactions import ImapReactions
from gatepost.session.link import Ended, Peer
from gatepost.session.mailbox_watch import MailboxWatch
from gatepost.session.recent_messages import RecentMessages
from gatepost.store.interface import MessageEntry
from gatepost.values.ids import Id

SETTINGS = ImapSettings("mail.example.org", is_tls=True)
_PEER = Peer(ip_address("127.0.0.1"), 1, ip_address("127.0.0.1"), 993)


class Server:
    """What the clients share."""

    def __init__(self) -> None:
        self.watch = MailboxWatch()
        self.store = MemoryMailStore(self.watch.changed_here)
        self.recent = RecentMessages(self.store, most_octets=100_000)


class Client:
    """One connection. `say` sends and gives what came back; `is_closed` once the server has taken its leave."""

    def __init__(self, server: Server, settings: ImapSettings = SETTINGS) -> None:
        self.engine = ImapEngine[MessageEntry](settings)
        self.reactions = ImapReactions(self.engine, self, Gatekeeper(), server.store, server.watch, server.recent)
        self.peer = _PEER
        self.is_tls = True
        self.tls_description = None
        self.account_id: Id | None = None
        self.woken = 0
        self.sent: list[bytes] = []
        self.before_more: Callable[[], Awaitable[None]] | None = None
        self.drops_after: int | None = None  # number of sends after which the connection is gone
        self.is_closed = False
        self.engine.start()
        self.engine.data_to_send()

    # --- Link

    def send_queued(self) -> None:
        data = self.engine.data_to_send()
        if data:
            self.sent.append(data)

    async def drained(self) -> None:
        if self.drops_after is not None and len(self.sent) >= self.drops_after:
            raise Ended
        if self.before_more is not None and self.sent:
            await self.before_more()

    def wake(self) -> None:
        self.woken += 1

    def authenticated(self, account_id: Id, login_name: str) -> None:
        self.account_id = account_id

    # --- what tests do

    async def say(self, data: bytes | str) -> str:
        self.engine.receive_data(data if isinstance(data, bytes) else data.encode() + b"\r\n")
        return await self.listen()

    async def listen(self) -> str:
        """Let the server do what it has to do without more input."""
        while (event := self.engine.next_event()) is not None:
            if isinstance(event, Close):
                self.is_closed = True
                continue
            await self.reactions.react(event)
        self.send_queued()
        octets, self.sent = b"".join(self.sent), []
        return octets.decode("latin-1")

    async def append(self, message: str | bytes, mailbox: str = "INBOX", options: str = "") -> str:
        octets = message if isinstance(message, bytes) else message.replace("\n", "\r\n").encode()
        head = f"app append {mailbox} {options}{{{len(octets)}+}}\r\n".encode()
        return await self.say(head + octets + b"\r\n")


async def logged_in(server: Server) -> Client:
    client = Client(server)
    answer = await client.say("l login alice secret")
    assert answer.startswith("l OK")
    return client


async def selected(server: Server, mailbox: str = "INBOX") -> Client:
    client = await logged_in(server)
    answer = await client.say(f"s select {mailbox}")
    assert "s OK" in answer
    return client
