"""A number that is another one after every commit of anybody: what was read at the same number is still so.

SQLite tells it from the log's index in shared memory, in some microseconds and without waiting for writers, so it is asked on the
event loop. Belongs to the store, which closes it.
"""

from __future__ import annotations

import asyncio
from typing import Any

from gatepost.store.interface import StoreError
from gatepost.store.sql.connection import SqlConnection
from gatepost.store.sql.dialect import Dialect


class DataVersion:
    """On a connection of its own, which writes nothing: SQLite leaves a connection's own commits out.

    A task that asks again without having waited for anything in between is given the same answer: whatever it was asked to do,
    it was asked before it began, and it has committed nothing since.
    """

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._connection: SqlConnection | None = None
        self._asked_by: asyncio.Task[Any] | None = None  # in this step of it
        self._answer: int | None = None

    def now(self) -> int | None:
        """None where it cannot be told without waiting: nothing that was read before is known to be so then."""
        task = asyncio.current_task()
        if task is None:
            return self._ask()
        if task is not self._asked_by:
            self._answer = self._ask()
            self._asked_by = task
            # A task goes on in a later turn of the loop at the earliest, behind what was put there before.
            task.get_loop().call_soon(self._forget)
        return self._answer

    def _forget(self) -> None:
        self._asked_by = None

    def _ask(self) -> int | None:
        if self._dialect.data_version is None:
            return None
        try:
            if self._connection is None:
                self._connection = SqlConnection(self._dialect)
                self._connection.say(self._dialect.never_wait)
            return self._connection.number(self._dialect.data_version)
        except StoreError:
            self.close()
            return None

    def close(self) -> None:
        """Give the connection back; it is opened again when it is needed."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
