"""What the server can do, as CAPABILITY tells it (RFC 3501 section 7.2.1). Nothing stands here that does not work."""

from __future__ import annotations

from gatepost.protocols.sasl import MECHANISMS

_ALWAYS = ("IMAP4rev1", "SASL-IR", "LITERAL+", "ID")
_AFTER_LOGIN = (
    "ENABLE",
    "IDLE",
    "NAMESPACE",
    "CHILDREN",
    "UIDPLUS",
    "MOVE",
    "UNSELECT",
    "SPECIAL-USE",
    "CREATE-SPECIAL-USE",
    "STATUS=SIZE",
)


def capabilities(*, is_authenticated: bool, may_start_tls: bool, may_authenticate: bool) -> bytes:
    """The capability names, in one line. Before the login the short list, and how to log in; where no password is taken
    without TLS, LOGINDISABLED (section 6.2.3)."""
    names = list(_ALWAYS)
    if is_authenticated:
        names += _AFTER_LOGIN
    else:
        if may_start_tls:
            names.append("STARTTLS")
        names += [f"AUTH={mechanism}" for mechanism in MECHANISMS] if may_authenticate else ["LOGINDISABLED"]
    return " ".join(names).encode()
