"""What reactions see of the connection that they serve."""

from __future__ import annotations

import asyncio
from typing import Protocol

import msgspec

from gatepost.values.ids import Id
from gatepost.values.ip_mask import IpAddress


class Peer(msgspec.Struct, frozen=True):
    """Who is on the other side. `source_*` is what limits, logs and sessions use: the address of a trusted PROXY header
    where there was one, else the kernel's peer address."""

    source_address: IpAddress
    source_port: int
    destination_address: IpAddress
    destination_port: int

    @property
    def is_loopback(self) -> bool:
        """Whether the client is on this machine."""
        return self.source_address.is_loopback


class Link(Protocol):
    """Given to the reactions of a conversation."""

    @property
    def peer(self) -> Peer: ...

    @property
    def is_tls(self) -> bool:
        """Whether what is read and written now is protected by TLS."""

    @property
    def tls_description(self) -> str | None:
        """Version and cipher suite for a Received field, like `TLSv1.3 TLS_AES_256_GCM_SHA384`; None in clear."""

    def send_queued(self) -> None:
        """Send what the engine has queued so far; the engine may go on queueing."""

    async def drained(self) -> None:
        """Wait until the client has taken enough of what was sent. Raises Ended when the connection is gone."""

    def wake(self) -> None:
        """Have the conversation ask the engine for its next event; for news that come from outside the connection."""

    def authenticated(self, account_id: Id, login_name: str) -> None:
        """Remember who the client is, for logs and the list of connections."""


async def make_way(link: Link) -> None:
    """Let the client take its answers and other conversations have their turn. Raises Ended."""
    await link.drained()
    await asyncio.sleep(0)


class Ended(Exception):
    """The connection is gone; a reaction lets it pass through."""
