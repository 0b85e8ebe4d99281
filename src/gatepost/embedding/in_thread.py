"""The mail server of a program that has no event loop, or whose own must not wait: in a thread with a loop of its own.

Made by the pytest fixture `gatepost_server`; works with smtplib, imaplib and everything else that blocks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Coroutine, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from email.message import EmailMessage
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar, Unpack

import uvloop
from argon2 import PasswordHasher

from gatepost.embedding.listener import Listener, ListenerFields
from gatepost.embedding.mail import EVERY_PROTOCOL, MailServer, mail_server
from gatepost.embedding.smtp_handler import Address

T = TypeVar("T")

_DEADLINE = 60.0  # seconds for anything that is asked of the server


class MailServerInThread:
    """Runs from `__enter__` to `__exit__`. What is asked of it is asked of `MailServer`, and waited for.

    The properties are the listeners of `EVERY_PROTOCOL`, one of each kind on 127.0.0.1: `smtp`, `imap` and `pop3` offer STARTTLS
    (and take no password before it), `submissions`, `imaps`, `pop3s` and `https_url` begin with TLS.
    """

    def __init__(self, listeners: Sequence[Listener] = EVERY_PROTOCOL, *, hasher: PasswordHasher | None = None) -> None:
        self._listeners = listeners
        self._hasher = hasher
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="gatepost")
        self._started: Future[MailServer] = Future()
        self._ended: Future[None]
        self._loop: asyncio.AbstractEventLoop
        self._stop: asyncio.Event

    def __enter__(self) -> MailServerInThread:
        if self._started.done():
            raise RuntimeError("a MailServerInThread is started once: make another one")
        self._ended = self._executor.submit(self._run)
        either: list[Future[Any]] = [self._started, self._ended]
        wait(either, return_when=FIRST_COMPLETED)
        if not self._started.done():
            self._executor.shutdown()
            self._ended.result()  # raises what has kept it from starting
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._executor.shutdown()
        self._ended.result()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        async with mail_server(self._listeners, hasher=self._hasher) as server:
            self._started.set_result(server)
            await self._stop.wait()

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_DEADLINE)

    @property
    def _server(self) -> MailServer:
        if not self._started.done() or self._ended.done():
            raise RuntimeError("the server does not run: it does so inside its `with` block")
        return self._started.result()

    # --- where it is

    @property
    def smtp(self) -> Address:
        return self.address("smtp")

    @property
    def submissions(self) -> Address:
        return self.address("submissions")

    @property
    def lmtp(self) -> Address:
        return self.address("lmtp")

    @property
    def imap(self) -> Address:
        return self.address("imap")

    @property
    def imaps(self) -> Address:
        return self.address("imaps")

    @property
    def pop3(self) -> Address:
        return self.address("pop3")

    @property
    def pop3s(self) -> Address:
        return self.address("pop3s")

    @property
    def sieve(self) -> Address:
        return self.address("sieve")

    @property
    def http_url(self) -> str:
        return self.url("http")

    @property
    def https_url(self) -> str:
        return self.url("https")

    @property
    def certificate_file(self) -> Path:
        """What clients have to trust: `ssl.create_default_context(cafile=…)`. For `localhost` and 127.0.0.1."""
        return self._server.certificate_file

    def address(self, name: str) -> Address:
        """Where a listener listens. Raises LookupError."""
        return self._server.address(name)

    def url(self, name: str) -> str:
        """Of an http listener."""
        return self._server.url(name)

    # --- what is in it

    def add_account(self, address: str, password: str, *, role: str = "user") -> None:
        """See MailServer."""
        self._do(self._server.add_account(address, password, role=role))

    def messages(self, address: str, mailbox: str = "INBOX") -> list[EmailMessage]:
        """See MailServer."""
        return self._do(self._server.messages(address, mailbox))

    def contents(self, address: str, mailbox: str = "INBOX") -> list[bytes]:
        """See MailServer."""
        return self._do(self._server.contents(address, mailbox))

    def api(self, method: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """See MailServer."""
        return self._do(self._server.api(method, arguments))

    # --- changing it

    def add(self, *listeners: Listener) -> None:
        """See MailServer."""
        self._do(self._server.add(*listeners))

    def update(
        self, name: str, /, *, bind: Collection[str | Address] | None = None, **changes: Unpack[ListenerFields]
    ) -> None:
        """See MailServer."""
        self._do(self._server.update(name, bind=bind, **changes))

    def remove(self, *names: str) -> None:
        """See MailServer."""
        self._do(self._server.remove(*names))
