"""Untagged responses (RFC 3501 section 7), each without its `* ` and its line end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gatepost.protocols.imap.flags import SYSTEM_FLAGS, format_flags
from gatepost.protocols.imap.mailbox_name import DELIMITER
from gatepost.protocols.imap.mailbox_view import MailboxView, Message, News
from gatepost.protocols.imap.wire import mailbox, parenthesised

_DELIMITER = f'"{DELIMITER}"'.encode()


def flags(keywords: Iterable[str]) -> bytes:
    """FLAGS: what messages of the mailbox have or may have (section 7.2.6)."""
    return b"FLAGS " + format_flags((*SYSTEM_FLAGS, *keywords))


def selected(view: MailboxView[Message], uid_next: int) -> list[bytes]:
    """Everything that SELECT and EXAMINE have to say (section 6.3.1)."""
    lines = [flags(view.keywords), b"%d EXISTS" % len(view), b"0 RECENT"]
    unseen = next((number for number, message in view.all_messages() if "\\Seen" not in message.flags), None)
    if unseen is not None:
        lines.append(b"OK [UNSEEN %d] First unseen message" % unseen)
    lines.append(b"OK [UIDVALIDITY %d] UIDs valid" % view.uid_validity)
    lines.append(b"OK [UIDNEXT %d] Predicted next UID" % uid_next)
    permanent = b"()" if view.is_read_only else format_flags((*SYSTEM_FLAGS, *view.keywords), "\\*")
    lines.append(b"OK [PERMANENTFLAGS %b] Flags that can be stored" % permanent)
    return lines


def news(found: News[Message], *, with_uid: bool) -> list[bytes]:
    """EXPUNGE, FLAGS, EXISTS and FETCH for what others have done (section 7.4)."""
    lines = [b"%d EXPUNGE" % number for number in found.expunged]
    if found.keywords is not None:
        lines.append(flags(found.keywords))
    if found.exists is not None:
        lines += [b"%d EXISTS" % found.exists, b"0 RECENT"]
    lines += [fetch_flags(number, message, with_uid=with_uid) for number, message in found.changed]
    return lines


def fetch_flags(number: int, message: Message, *, with_uid: bool) -> bytes:
    """FETCH with the flags alone."""
    uid = b"UID %d " % message.uid if with_uid else b""
    return b"%d FETCH (%bFLAGS %b)" % (number, uid, format_flags(message.flags))


def listed(command: str, attributes: Sequence[str], name: str) -> bytes:
    """LIST or LSUB (sections 7.2.2, 7.2.3)."""
    return b"%b (%b) %b %b" % (command.encode(), " ".join(attributes).encode(), _DELIMITER, mailbox(name))


def hierarchy_root(command: str) -> bytes:
    """The answer to an empty pattern: the delimiter, and a root name that is empty (section 6.3.8)."""
    return b'%b (\\Noselect) %b ""' % (command.encode(), _DELIMITER)


def status(name: str, values: Iterable[tuple[str, int]]) -> bytes:
    """STATUS (section 7.2.4)."""
    return b"STATUS %b %b" % (mailbox(name), parenthesised(f"{item} {value}".encode() for item, value in values))


def search(numbers: Iterable[int]) -> bytes:
    """SEARCH (section 7.2.5)."""
    return " ".join(("SEARCH", *map(str, numbers))).encode()
