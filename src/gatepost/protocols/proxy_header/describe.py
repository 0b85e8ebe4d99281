"""Words for what came where a PROXY header was due, for one line of the log. Called by the transport.

A client that was pointed at the wrong port may send a password first, so no more than a command is ever shown.
"""

from __future__ import annotations

import re

_TLS_HANDSHAKE = b"\x16\x03"
_LONGEST_WORD = 16  # octets shown of a word that is no command known here
_WORD = re.compile(rb"[!-~]+")
_IMAP_COMMANDS = frozenset((b"LOGIN", b"AUTHENTICATE", b"CAPABILITY", b"STARTTLS", b"ID", b"NOOP", b"LOGOUT"))


def describe(data: bytes) -> str:
    """What the first octets look like: `EHLO`, `GET`, `a TLS ClientHello`, `nothing`, `octets 00ff10`. Printable ASCII.

    >>> describe(b"EHLO mail.example.org\\r\\n")
    'EHLO'
    """
    if not data:
        return "nothing"
    if data.startswith(_TLS_HANDSHAKE):
        return "a TLS ClientHello"
    words = _WORD.findall(data[:256].split(b"\n", 1)[0])
    if not words or not data.startswith(words[0]):
        return f"octets {data[:8].hex()}"
    if len(words) > 1 and words[1].upper() in _IMAP_COMMANDS:
        return f"{_shown(words[0])} {words[1].upper().decode('ascii')}"
    return _shown(words[0])


def _shown(word: bytes) -> str:
    text = word.decode("ascii")
    return text if len(text) <= _LONGEST_WORD else text[:_LONGEST_WORD] + "..."
