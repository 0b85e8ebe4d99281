"""Reading messages for FETCH and SEARCH."""

from __future__ import annotations

from gatepost.protocols.message.sections import ParsedMessage
from gatepost.store.interface import Gone, MailStore, MessageEntry
from gatepost.values.ids import Id

_KEPT_SIZE = 16 * 1024 * 1024  # octets


class MessageReader:
    """Keeps the message that was read last: clients fetch one message part by part, or a large one piece by piece."""

    def __init__(self, mail_store: MailStore) -> None:
        self._mail_store = mail_store
        self._content_id: Id | None = None
        self._message: ParsedMessage | None = None

    async def read(self, entry: MessageEntry) -> ParsedMessage | None:
        """None when the message is gone."""
        if self._message is not None and self._content_id == entry.content_id:
            return self._message
        try:
            message = ParsedMessage(await self._mail_store.content(entry.content_id))
        except Gone:
            return None
        if entry.size <= _KEPT_SIZE:
            self._content_id, self._message = entry.content_id, message
        return message

    def forget(self) -> None:
        """Give the memory back."""
        self._content_id = self._message = None
