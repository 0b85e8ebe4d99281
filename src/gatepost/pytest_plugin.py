"""The pytest plugin: a fixture that is a mail server.

pytest loads this file in every run where gatepost is installed, so it imports nothing: the server is loaded when the first test
asks for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from gatepost.embedding.in_thread import MailServerInThread


@pytest.fixture
def gatepost_server() -> Iterator[MailServerInThread]:
    """A fresh mail server for one test, on ports of its own, without accounts.

    `add_account(address, password)`, `messages(address)`; `smtp`, `imap`, `imaps` and the others are (host, port);
    `http_url`; `certificate_file` is what clients have to trust. See docs/embedding.md.
    """
    from argon2 import PasswordHasher

    from gatepost.embedding.in_thread import MailServerInThread

    # Passwords of tests protect nothing: hashing them must not take longer than the tests.
    hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    with MailServerInThread(hasher=hasher) as server:
        yield server
