"""The state machine of a connection (RFC 3501 section 3): which command is allowed in which state."""

from __future__ import annotations

from enum import Enum


class State(Enum):
    """RFC 3501 sections 3.1 to 3.3; in the logout state of section 3.4 no command is looked at any more."""

    NOT_AUTHENTICATED = "not authenticated"
    AUTHENTICATED = "authenticated"
    SELECTED = "selected"


_ANY = frozenset((State.NOT_AUTHENTICATED, State.AUTHENTICATED, State.SELECTED))
_BEFORE = frozenset((State.NOT_AUTHENTICATED,))
_AFTER = frozenset((State.AUTHENTICATED, State.SELECTED))
_SELECTED = frozenset((State.SELECTED,))

ALLOWED_STATES = {
    "CAPABILITY": _ANY,
    "NOOP": _ANY,
    "LOGOUT": _ANY,
    "ID": _ANY,
    "STARTTLS": _BEFORE,
    "AUTHENTICATE": _BEFORE,
    "LOGIN": _BEFORE,
    "ENABLE": _AFTER,
    "NAMESPACE": _AFTER,
    "IDLE": _AFTER,
    "SELECT": _AFTER,
    "EXAMINE": _AFTER,
    "CREATE": _AFTER,
    "DELETE": _AFTER,
    "RENAME": _AFTER,
    "SUBSCRIBE": _AFTER,
    "UNSUBSCRIBE": _AFTER,
    "LIST": _AFTER,
    "LSUB": _AFTER,
    "STATUS": _AFTER,
    "APPEND": _AFTER,
    "CHECK": _SELECTED,
    "CLOSE": _SELECTED,
    "UNSELECT": _SELECTED,
    "EXPUNGE": _SELECTED,
    "SEARCH": _SELECTED,
    "FETCH": _SELECTED,
    "STORE": _SELECTED,
    "COPY": _SELECTED,
    "MOVE": _SELECTED,
    "UID": _SELECTED,
}
