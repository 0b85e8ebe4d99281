"""What one client knows of its selected mailbox: which message has which number (RFC 3501 sections 2.3.1.2 and 7.4.1).

Kept by the engine, filled by the reactions. A change made by somebody else is noted here and becomes visible only when
the client may be told: a message that is gone keeps its number until an EXPUNGE response can be sent.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from gatepost.protocols.imap.flags import keywords_of
from gatepost.protocols.imap.sequence_set import SequenceSet


class ViewedMessage(Protocol):
    """What the view has to know of a message."""

    @property
    def uid(self) -> int: ...

    @property
    def modseq(self) -> int: ...

    @property
    def flags(self) -> frozenset[str]: ...


Message = TypeVar("Message", bound=ViewedMessage)


@dataclass(frozen=True, slots=True)
class News(Generic[Message]):
    """What the client has to be told now, in this order. `expunged` has numbers, each counted after those before it are
    gone; `exists` is None when the number of messages has not grown; `changed` has numbers and messages."""

    expunged: Sequence[int]
    keywords: frozenset[str] | None
    exists: int | None
    changed: Sequence[tuple[int, Message]]


class MailboxView(Generic[Message]):
    """The selected mailbox. `highest_modseq` is how far the changes of the mailbox have been taken in."""

    def __init__(
        self, messages: Sequence[Message], uid_validity: int, highest_modseq: int, *, is_read_only: bool
    ) -> None:
        self.uid_validity = uid_validity
        self.highest_modseq = highest_modseq
        self.is_read_only = is_read_only
        self._uids = [message.uid for message in messages]
        self._messages = {message.uid: message for message in messages}
        self._arrived: dict[int, Message] = {}
        self._vanished: set[int] = set()
        self._changed: set[int] = set()
        self._keywords = set[str]().union(*(keywords_of(message.flags) for message in messages))
        self._has_new_keywords = False

    def __len__(self) -> int:
        return len(self._uids)

    @property
    def keywords(self) -> frozenset[str]:
        """Every keyword that a message here has had."""
        return frozenset(self._keywords)

    def message(self, uid: int) -> Message:
        """What is known of a message that has a number."""
        return self._messages[uid]

    def all_messages(self) -> list[tuple[int, Message]]:
        """Number and message of everything that the client knows of, in order."""
        return [(number, self._messages[uid]) for number, uid in enumerate(self._uids, 1)]

    def chosen(self, messages: SequenceSet, *, by_uid: bool) -> list[tuple[int, Message]]:
        """Number and message of those in the set, in order. Numbers and uids that do not exist are left out."""
        if by_uid:
            return self._chosen_by_uid(messages)
        return [
            (number, self._messages[self._uids[number - 1]])
            for first, last in messages.within(len(self._uids))
            for number in range(max(first, 1), min(last, len(self._uids)) + 1)
        ]

    def _chosen_by_uid(self, messages: SequenceSet) -> list[tuple[int, Message]]:
        uids = self._uids
        return [
            (position + 1, self._messages[uids[position]])
            for first, last in messages.within(uids[-1] if uids else 0)
            for position in range(bisect_left(uids, first), bisect_right(uids, last))
        ]

    def take_in(self, changed: Iterable[Message], vanished: Iterable[int], highest_modseq: int) -> None:
        """Note what happened in the mailbox; nothing is shown before `take_news()`. A message that is here with the same
        modseq already has no news."""
        for message in changed:
            known = self._messages.get(message.uid)
            if known is None:
                self._arrived[message.uid] = message
            elif message.modseq > known.modseq:
                self._messages[message.uid] = message
                if message.flags != known.flags:
                    self._changed.add(message.uid)
            self._note_keywords(message)
        for uid in vanished:
            self._arrived.pop(uid, None)
            if uid in self._messages:
                self._vanished.add(uid)
        self.highest_modseq = max(self.highest_modseq, highest_modseq)

    def set_here(self, messages: Iterable[Message]) -> None:
        """Messages as this client's own command has left them: it is told by the answer, or asked not to be."""
        for message in messages:
            if message.uid in self._messages:
                self._messages[message.uid] = message
                self._changed.discard(message.uid)
                self._note_keywords(message)

    def take_news(self, *, may_expunge: bool) -> News[Message]:
        """What to tell the client; the view is afterwards what the client knows."""
        expunged = self._expunge() if may_expunge and self._vanished else []
        exists = self._append_arrived()
        changed = [
            (bisect_left(self._uids, uid) + 1, self._messages[uid]) for uid in sorted(self._changed - self._vanished)
        ]
        self._changed.clear()
        keywords = self.keywords if self._has_new_keywords else None
        self._has_new_keywords = False
        return News(expunged, keywords, exists, changed)

    def _expunge(self) -> list[int]:
        numbers = sorted((bisect_left(self._uids, uid) + 1 for uid in self._vanished), reverse=True)
        self._uids = [uid for uid in self._uids if uid not in self._vanished]
        for uid in self._vanished:
            del self._messages[uid]
        self._changed -= self._vanished
        self._vanished.clear()
        return numbers

    def _append_arrived(self) -> int | None:
        if not self._arrived:
            return None
        for uid in sorted(self._arrived):
            self._uids.append(uid)
            self._messages[uid] = self._arrived[uid]
        self._arrived.clear()
        return len(self._uids)

    def _note_keywords(self, message: Message) -> None:
        if not self._keywords.issuperset(keywords_of(message.flags)):
            self._keywords |= keywords_of(message.flags)
            self._has_new_keywords = True
