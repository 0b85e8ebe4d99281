"""The messages that the sessions of a worker have read last, so that a client that fetches one part by part, or several
clients that fetch the same, cost one read. Used by the IMAP and POP3 reactions.

Bounded for the worker as a whole: whoever sends a large message slowly asks for it again, piece by piece, instead of
holding it.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from typing import TypeVar
from weakref import WeakValueDictionary

from gatepost.protocols.message.sections import ParsedMessage
from gatepost.store.interface import MailStore
from gatepost.values.ids import Id

PIECE = 1024 * 1024  # octets of a large message that one session may hold while its client does not keep up

_KEPT = 48 * 1024 * 1024  # octets
_WORKING = 2  # threads that take messages apart; others are needed for other work

Result = TypeVar("Result")


class RecentMessages:
    """Keeps up to `most_octets`, and the message that was read last in any case."""

    def __init__(self, mail_store: MailStore, *, most_octets: int = _KEPT) -> None:
        self._mail_store = mail_store
        self._most_octets = most_octets
        self._octets = 0
        self._kept: OrderedDict[Id, ParsedMessage] = OrderedDict()
        self._in_use: WeakValueDictionary[Id, ParsedMessage] = WeakValueDictionary()
        self._reading: dict[Id, asyncio.Future[bytes]] = {}
        self._working = asyncio.Semaphore(_WORKING)

    async def read(self, content_id: Id) -> ParsedMessage:
        """The message with this content. Raises StoreError; Gone where there is no such content any more."""
        message = self._in_use.get(content_id)
        if message is None:
            octets = await self._octets_of(content_id)
            message = self._in_use.get(content_id) or ParsedMessage(octets)
        self._keep(content_id, message)
        return message

    async def beside_the_loop(self, work: Callable[[], Result]) -> Result:
        """Do something with a message that takes long, so that other conversations go on."""
        async with self._working:
            return await asyncio.to_thread(work)

    async def _octets_of(self, content_id: Id) -> bytes:
        """Those who want the same at the same time wait for one read."""
        reading = self._reading.get(content_id)
        if reading is None:
            reading = self._reading[content_id] = asyncio.ensure_future(self._mail_store.content(content_id))
            reading.add_done_callback(lambda _: self._reading.pop(content_id))
        return await asyncio.shield(reading)

    def _keep(self, content_id: Id, message: ParsedMessage) -> None:
        self._in_use[content_id] = message
        if content_id not in self._kept:
            self._kept[content_id] = message
            self._octets += len(message.octets)
        self._kept.move_to_end(content_id)
        while self._octets > self._most_octets and len(self._kept) > 1:
            _, dropped = self._kept.popitem(last=False)
            self._octets -= len(dropped.octets)
