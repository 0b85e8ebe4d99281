"""Reads, on a few threads with a connection each. Writers never make them wait, nor they writers (WAL)."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from gatepost.store.interface import Broken
from gatepost.store.sql.connection import SqlConnection
from gatepost.store.sql.dialect import Dialect

T = TypeVar("T")

_THREADS: Final = 4


class Readers:
    """Runs functions that read. Belongs to the store, which closes it."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="store-reader")
        self._local = threading.local()
        self._connections: list[SqlConnection] = []  # append is atomic; read when the threads have ended
        self._is_closed = False

    async def run(self, read: Callable[[SqlConnection], T]) -> T:
        """What `read` gives. Cancelling it drops the answer; the read itself goes on to its end."""
        self.refuse_if_closed()
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._read, read)

    def refuse_if_closed(self) -> None:
        """Raises Broken where the store is closed."""
        if self._is_closed:
            raise Broken("the store is closed")

    def refuse_more(self) -> None:
        """Take no more reads. On the event loop, so that none slips in."""
        self._is_closed = True

    def join(self) -> None:
        """Blocks until running reads are done; call `refuse_more` before."""
        self._threads.shutdown()
        while self._connections:
            self._connections.pop().close()

    def _read(self, read: Callable[[SqlConnection], T]) -> T:
        connection: SqlConnection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = SqlConnection(self._dialect)
            self._connections.append(connection)
        return read(connection)
