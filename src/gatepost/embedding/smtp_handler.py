"""What a program that takes mail by SMTP or LMTP is told, and what it answers. The program implements this; nothing else does.

Replies are `Reply(code, enhanced status code, words)`, as in RFC 5321 section 4.2 and RFC 3463: a code of 2xx takes what was
offered, 4xx asks the client to try again later, 5xx refuses for good. None is the usual yes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from gatepost.protocols.proxy_header.header import ProxyHeader
from gatepost.protocols.smtp.replies import Reply


class Address(NamedTuple):
    """An IP address and a port, as socket.create_connection takes them.

    >>> str(Address("127.0.0.1", 25)), str(Address("::1", 25))
    ('127.0.0.1:25', '[::1]:25')
    """

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class TlsFacts:
    """What protects a connection. `cipher_suite` is OpenSSL's name; `server_name` is what the client asked for (SNI)."""

    version: str
    cipher_suite: str
    server_name: str | None


@dataclass(frozen=True, slots=True)
class SmtpClient:
    """Who is on the other side. `source` and `destination` are those of a trusted PROXY header where there was one, else the
    kernel's; `peer` is always the kernel's. `hello_name` is what the client calls itself: nobody has checked it."""

    listener: str
    source: Address
    destination: Address
    peer: Address
    hello_name: str
    tls: TlsFacts | None
    proxy_header: ProxyHeader | None
    login_name: str | None  # once it has logged in


@dataclass(frozen=True, slots=True)
class SmtpMessage:
    """A whole message with its envelope. `sender` is empty for a bounce (`MAIL FROM:<>`); `recipients` are those that were
    accepted, in the order in which they came. `content` is as it came, with CRLF, dots unstuffed, no trace field added."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes = field(repr=False)
    client: SmtpClient
    protocol: str  # for a Received field: ESMTPS, LMTP (RFC 3848)


Answer = Reply | Mapping[str, Reply] | None
"""For a message: one reply, or one for each recipient, by address as in `recipients`. SMTP has a single reply, so the first
refusal is everybody's there; LMTP gives each recipient its own (RFC 2033 section 4.2)."""


class SmtpHandler(ABC):
    """Decides about mail. One object for all connections; `client` tells them apart. An exception is answered with 451 (454 for a
    login), logged, and the connection goes on."""

    async def sender(self, sender: str, client: SmtpClient, /) -> Reply | None:
        """MAIL: whether mail from this address is taken; empty for a bounce."""
        del sender, client
        return None

    async def recipient(self, recipient: str, sender: str, client: SmtpClient, /) -> Reply | None:
        """RCPT: whether mail for this address is taken."""
        del recipient, sender, client
        return None

    @abstractmethod
    async def message(self, message: SmtpMessage, /) -> Answer:
        """The end of DATA or BDAT: whoever answers yes is responsible for the message from then on (RFC 5321 section 6.1)."""


MessageCallback = Callable[[SmtpMessage], Awaitable[Answer] | Answer]
"""A function, `async` or not; one that is not is called in the event loop and must not block."""

Authenticate = Callable[[str, str, SmtpClient], Awaitable[bool]]
"""Login name, password, client: whether the password is right. AUTH is offered where there is one, under TLS (in clear only to
this machine, and only where the listener offers no TLS)."""


class CallbackHandler(SmtpHandler):
    """Every sender and recipient is fine; a function takes the message."""

    def __init__(self, callback: MessageCallback) -> None:
        self._callback = callback

    async def message(self, message: SmtpMessage, /) -> Answer:
        """What the function answers."""
        answer = self._callback(message)
        return await answer if isinstance(answer, Awaitable) else answer


def handler_of(protocol: str, given: SmtpHandler | MessageCallback) -> SmtpHandler:
    """Raises TypeError for what can take no message, while somebody is there to read it."""
    if isinstance(given, SmtpHandler):
        return given
    if isinstance(given, type) or not callable(given):
        raise TypeError(
            f"{protocol}= takes a function, or an object of a class that derives from SmtpHandler, not {given!r}"
        )
    return CallbackHandler(given)
