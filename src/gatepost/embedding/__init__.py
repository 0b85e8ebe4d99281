"""gatepost in somebody else's program: listeners with the program's own code behind them, or the whole mail server, in one process
and one event loop, without a supervisor. For people who embed it, and for tests.

The names below and those of `gatepost.embedding.mail` are the public interface; all of them are in `gatepost` too, and
docs/embedding.md shows them at work.
"""

from gatepost.embedding.configuration import CertificatePair
from gatepost.embedding.lifespan import StartupFailed
from gatepost.embedding.listener import Listener, ListenerFields, Settings
from gatepost.embedding.refused import Objection, Refused
from gatepost.embedding.server import Server, listen
from gatepost.embedding.smtp_handler import Address, Answer, SmtpClient, SmtpHandler, SmtpMessage, TlsFacts
from gatepost.management.applying import ListenerStatus
from gatepost.protocols.smtp.replies import Reply

__all__ = [
    "Address",
    "Answer",
    "CertificatePair",
    "Listener",
    "ListenerFields",
    "ListenerStatus",
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
]
