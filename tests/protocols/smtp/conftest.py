"""A client for the SMTP engine that answers its events by simple rules and writes down what happened."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from gatepost.protocols.engine import Close, StartTls
from gatepost.protocols.smtp.engine import SmtpEngine
from gatepost.protocols.smtp.events import LoginAttempt, MessageReceived, RecipientGiven, SenderGiven
from gatepost.protocols.smtp.replies import OK, Reply
from gatepost.protocols.smtp.settings import SmtpSettings

NO_SUCH_USER = Reply(550, "5.1.1", "No such user")


class Dialogue:
    """Recipients named `nobody` are rejected, the password `secret` is right, every message is taken."""

    def __init__(self, settings: SmtpSettings) -> None:
        self.engine = SmtpEngine(settings)
        self.events: list[object] = []
        self.is_closed = False
        self.has_tls_begun = False
        self.engine.start()
        self.greeting = self.engine.data_to_send()

    def say(self, *pieces: bytes) -> bytes:
        """Send pieces, each its own segment; all that comes back."""
        for piece in pieces:
            self.engine.receive_data(piece)
            self._serve()
        return self.engine.data_to_send()

    def lines(self, *pieces: bytes) -> list[bytes]:
        """Like `say`, the answer as lines."""
        return self.say(*pieces).splitlines()

    def codes(self, *pieces: bytes) -> list[int]:
        """Like `say`, the codes of the replies, one for each reply."""
        return [int(line[:3]) for line in self.lines(*pieces) if line[3:4] == b" "]

    @property
    def messages(self) -> list[MessageReceived]:
        return [event for event in self.events if isinstance(event, MessageReceived)]

    def _serve(self) -> None:
        while (event := self.engine.next_event()) is not None:
            self.events.append(event)
            self._answer(event)

    def _answer(self, event: object) -> None:
        match event:
            case LoginAttempt(credentials=credentials) if credentials.password.reveal() != "secret":
                self.engine.reject(Reply(535, "5.7.8", "Authentication failed"))
            case RecipientGiven(forward_path=path) if path.local_part == "nobody":
                self.engine.reject(NO_SUCH_USER)
            case LoginAttempt() | SenderGiven() | RecipientGiven():
                self.engine.accept()
            case MessageReceived(recipients=recipients) if self.engine._settings.dialect.has_reply_per_recipient:
                self.engine.answer_message([OK] * len(recipients))
            case MessageReceived():
                self.engine.answer_message([OK])
            case StartTls():
                self.has_tls_begun = True
            case Close():
                self.is_closed = True


@pytest.fixture(scope="session")
def dialogue() -> Callable[..., Dialogue]:
    """A dialogue under settings, with EHLO or LHLO said unless `hello=False`."""

    def make(*, hello: bool = True, **settings: Any) -> Dialogue:
        made = Dialogue(SmtpSettings(hostname="mx.example.org", **settings))
        if hello:
            made.say(made.engine._settings.dialect.extended_hello.encode() + b" client.example\r\n")
        return made

    return make
