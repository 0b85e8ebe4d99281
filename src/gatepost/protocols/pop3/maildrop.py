"""The TRANSACTION state: the maildrop as it was at the login, and the marks on it (RFC 1939 section 5).

Pure; called by the engine. Message numbers stay what they are until the session ends, whatever others do to the mailbox.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gatepost.protocols.pop3.commands import Command, Outcome, number
from gatepost.protocols.pop3.events import MaildropMessage, Retrieve, Update
from gatepost.protocols.pop3.replies import Reply, err, mistake, ok

_NO_SUCH_MESSAGE = err("No such message")


class Maildrop:
    """The messages of one session and which of them are marked as deleted."""

    def __init__(self, messages: Sequence[MaildropMessage]) -> None:
        self._messages = tuple(messages)
        self._deleted: set[int] = set()
        self._size = self._whole_size = sum(message.size for message in self._messages)

    def obey(self, command: Command) -> Outcome | None:
        """What a command leads to; None for one that this state does not know."""
        match command.keyword, command.words:
            case "STAT", []:
                return ok(f"{self._count} {self._size}")
            case "LIST", words:
                return self._scan(words, _size_of)
            case "UIDL", words:
                return self._scan(words, _unique_id_of)
            case "RETR", [word]:
                return self._retrieve(word, None)
            case "TOP", [word, lines]:
                return self._retrieve(word, lines)
            case "DELE", [word]:
                return self._delete(word)
            case "NOOP", []:
                return ok("")
            case "RSET", []:
                return self._reset()
            case "QUIT", _:
                return Update(tuple(sorted(self._deleted)))
            case "STAT" | "RETR" | "TOP" | "DELE" | "NOOP" | "RSET", _:
                return mistake(f"Wrong number of arguments for {command.keyword}")
            case _:
                return None

    @property
    def _count(self) -> int:
        return len(self._messages) - len(self._deleted)

    def _message_number(self, word: bytes) -> int | None:
        value = number(word)
        if value is None or not 1 <= value <= len(self._messages) or value in self._deleted:
            return None
        return value

    def _scan(self, words: list[bytes], listing: Callable[[MaildropMessage], str]) -> Reply:
        if not words:
            shown = (n for n in range(1, len(self._messages) + 1) if n not in self._deleted)
            return ok(f"{self._count} messages", (f"{n} {listing(self._messages[n - 1])}" for n in shown))
        if len(words) > 1:
            return mistake("Wrong number of arguments")
        wanted = self._message_number(words[0])
        return _NO_SUCH_MESSAGE if wanted is None else ok(f"{wanted} {listing(self._messages[wanted - 1])}")

    def _retrieve(self, word: bytes, lines_word: bytes | None) -> Reply | Retrieve:
        wanted = self._message_number(word)
        if wanted is None:
            return _NO_SUCH_MESSAGE
        if lines_word is None:
            return Retrieve(wanted)
        lines = number(lines_word)
        return mistake("The number of lines is not a number") if lines is None else Retrieve(wanted, lines)

    def _delete(self, word: bytes) -> Reply:
        wanted = self._message_number(word)
        if wanted is None:
            return _NO_SUCH_MESSAGE
        self._deleted.add(wanted)
        self._size -= self._messages[wanted - 1].size
        return ok(f"Message {wanted} marked")

    def _reset(self) -> Reply:
        self._deleted.clear()
        self._size = self._whole_size
        return ok(f"{self._count} messages")


def _size_of(message: MaildropMessage) -> str:
    return str(message.size)


def _unique_id_of(message: MaildropMessage) -> str:
    return message.unique_id
