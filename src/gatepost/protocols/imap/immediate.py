"""Commands whose answer is known without asking anybody (RFC 3501 section 6.1.1, RFC 2342, RFC 2971, RFC 5161)."""

from __future__ import annotations

from gatepost.protocols.imap import commands
from gatepost.protocols.imap.capabilities import capabilities
from gatepost.protocols.imap.commands import Command
from gatepost.protocols.imap.login import LoginGate

_ENABLABLE: frozenset[str] = frozenset()  # extensions that change what is sent; there are none yet


def immediate_answer(command: Command, gate: LoginGate, enabled: set[str]) -> tuple[bytes, str] | None:
    """An untagged response and the text of the tagged OK; None for a command that needs more than that."""
    match command:
        case commands.Capability():
            return b"CAPABILITY " + capabilities_now(gate), "Capabilities listed"
        case commands.Identify():
            return b'ID ("name" "gatepost")', "Identified"
        case commands.Namespace():
            return b'NAMESPACE (("" "/")) NIL NIL', "Namespaces listed"
        case commands.Enable():
            names = _ENABLABLE.intersection(command.capabilities) - enabled
            enabled |= names
            return " ".join(("ENABLED", *sorted(names))).encode(), "Enabled"
        case _:
            return None


def capabilities_now(gate: LoginGate) -> bytes:
    """What this connection can do in its present state."""
    return capabilities(
        is_authenticated=gate.is_authenticated,
        may_start_tls=gate.may_start_tls,
        may_authenticate=gate.may_authenticate,
    )
