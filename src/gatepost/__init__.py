"""A mail and web server whose network listeners change while it runs.

For programs that embed it, the names of `gatepost.embedding` are here too. They are loaded when one of them is asked for: the
server needs nothing but the version.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gatepost.embedding import (
        Address,
        Answer,
        CertificatePair,
        Listener,
        ListenerFields,
        ListenerStatus,
        Objection,
        Refused,
        Reply,
        Server,
        Settings,
        SmtpClient,
        SmtpHandler,
        SmtpMessage,
        StartupFailed,
        TlsFacts,
        listen,
    )
    from gatepost.embedding.in_thread import MailServerInThread
    from gatepost.embedding.mail import MailServer, mail_server
    from gatepost.management.jmap.failure import MethodError

__version__ = "0.1.0"

__all__ = [
    "Address",
    "Answer",
    "CertificatePair",
    "Listener",
    "ListenerFields",
    "ListenerStatus",
    "MailServer",
    "MailServerInThread",
    "MethodError",
    "Objection",
    "Refused",
    "Reply",
    "Server",
    "Settings",
    "SmtpClient",
    "SmtpHandler",
    "SmtpMessage",
    "StartupFailed",
    "TlsFacts",
    "listen",
    "mail_server",
]

_ELSEWHERE = {  # what needs a store is not loaded for listeners
    "MailServer": "gatepost.embedding.mail",
    "MailServerInThread": "gatepost.embedding.in_thread",
    "MethodError": "gatepost.management.jmap.failure",
    "mail_server": "gatepost.embedding.mail",
}

if not TYPE_CHECKING:  # a type checker would take it for a module that has every name

    def __getattr__(name: str) -> object:
        if name not in __all__:
            raise AttributeError(f"module 'gatepost' has no attribute {name!r}")
        module = _ELSEWHERE.get(name, "gatepost.embedding")
        return vars(importlib.import_module(module))[name]
