"""All writes of this process, on one thread, many to a commit.

While one transaction is being synced to disk, the writes that arrive queue up; all of them make the next transaction and
share its one sync. Each write stands in a savepoint: one that fails undoes itself and nothing else. A write is answered
only after the commit.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Collection
from queue import Empty, SimpleQueue
from typing import Any, Final, TypeVar

from gatepost.store.interface import Broken, Busy, StoreError
from gatepost.store.sql.connection import SqlConnection
from gatepost.store.sql.dialect import Dialect
from gatepost.store.sql.write_turn import WriteTurn
from gatepost.values.ids import Id

T = TypeVar("T")

MailboxesChanged = Callable[[Collection[Id]], None]
TypesChanged = Callable[[Collection[str]], None]

_WRITES_PER_COMMIT: Final = 256
_LOCK_FILE: Final = "writers.lock"
_PATIENCE_S: Final = 10.0


class WriteTransaction:
    """What one write is given: the connection, and where to note the mailboxes, and the types of configuration objects, that
    it changes."""

    __slots__ = ("changed_mailboxes", "changed_types", "connection")

    def __init__(self, connection: SqlConnection) -> None:
        self.connection = connection
        self.changed_mailboxes: set[Id] = set()
        self.changed_types: set[str] = set()


class _QueuedWrite:
    __slots__ = ("changed_mailboxes", "changed_types", "error", "future", "result", "work")

    def __init__(self, work: Callable[[WriteTransaction], object], future: asyncio.Future[Any]) -> None:
        self.work = work
        self.future = future
        self.result: object = None
        self.error: Exception | None = None
        self.changed_mailboxes: Collection[Id] = ()
        self.changed_types: Collection[str] = ()

    def settle(self) -> None:
        """Answer whoever waits, if anybody still does. On the event loop."""
        if self.future.done():
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.result)


class Writer:
    """Runs functions that write. Belongs to the store, which closes it, and to one event loop."""

    def __init__(
        self,
        dialect: Dialect,
        on_mailboxes_changed: MailboxesChanged,
        on_types_changed: TypesChanged,
        patience_s: float = _PATIENCE_S,
    ) -> None:
        self._dialect = dialect
        self._on_mailboxes_changed = on_mailboxes_changed
        self._on_types_changed = on_types_changed
        self._queue: SimpleQueue[_QueuedWrite | None] = SimpleQueue()  # None: nothing comes after it
        self._connection: SqlConnection | None = None
        self._turn = WriteTurn(dialect.data_directory / _LOCK_FILE, patience_s)
        self._is_closed = False
        self._thread = threading.Thread(target=self._serve, name="store-writer", daemon=True)
        self._thread.start()

    async def run(self, work: Callable[[WriteTransaction], T]) -> T:
        """What `work` gives, when it is durable. A write that is cancelled before its turn is left out."""
        if self._is_closed:
            raise Broken("the store is closed")
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._queue.put(_QueuedWrite(work, future))
        return await future

    def refuse_more(self) -> None:
        """Take no more writes. On the event loop, so that none slips in behind the last one."""
        if not self._is_closed:
            self._is_closed = True
            self._queue.put(None)

    def join(self) -> None:
        """Blocks until all queued writes are committed; call `refuse_more` before."""
        self._thread.join()

    def _serve(self) -> None:
        while (first := self._queue.get()) is not None:
            batch = [first]
            self._commit(batch)
            self._answer(batch)
        self._disconnect()

    def _commit(self, batch: list[_QueuedWrite]) -> None:
        """Commit the write in `batch` and all that are queued by the time it can begin; `batch` is all of them then."""
        try:
            connection = self._begin()
        except Exception as error:  # whatever it is: nobody may be left waiting
            self._take_queued(batch)  # they would only wait as long for the same
            self._lose(batch, error)
            return
        self._take_queued(batch)
        try:
            for write in batch:
                if not write.future.cancelled():
                    _attempt(write, connection)
            connection.say("COMMIT")
            self._turn.give_up()
        except Exception as error:  # as above
            self._lose(batch, error)

    def _lose(self, batch: list[_QueuedWrite], error: Exception) -> None:
        self._disconnect()  # rolls back
        for write in batch:
            if write.error is None or write.error is error:
                write.error = _reason(error)
            write.changed_mailboxes = write.changed_types = ()

    def _begin(self) -> SqlConnection:
        if self._connection is None:
            self._connection = SqlConnection(self._dialect)
        self._turn.take()
        self._connection.say(self._dialect.begin_write)
        return self._connection

    def _take_queued(self, batch: list[_QueuedWrite]) -> None:
        while len(batch) < _WRITES_PER_COMMIT:
            try:
                write = self._queue.get_nowait()
            except Empty:
                return
            if write is None:
                self._queue.put(None)  # nothing comes after it: the next round finds it again
                return
            batch.append(write)

    def _answer(self, batch: list[_QueuedWrite]) -> None:
        loop = batch[0].future.get_loop()
        try:
            loop.call_soon_threadsafe(self._settle, batch)
        except RuntimeError:
            pass  # the loop is closed: nobody waits any more, and what was written stays

    def _settle(self, batch: list[_QueuedWrite]) -> None:
        for write in batch:
            write.settle()
        changed = {mailbox_id for write in batch for mailbox_id in write.changed_mailboxes}
        if changed:
            self._on_mailboxes_changed(changed)
        changed_types = {name for write in batch for name in write.changed_types}
        if changed_types:
            self._on_types_changed(changed_types)

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        self._turn.close()


def _reason(error: Exception) -> StoreError:
    """A new error for each of those that lose a transaction, since each adds a traceback of its own."""
    return Busy(str(error)) if isinstance(error, Busy) else Broken(str(error))


def _attempt(write: _QueuedWrite, connection: SqlConnection) -> None:
    """Run one write so that its failure leaves the others alone. Raises when the whole transaction is lost."""
    connection.say("SAVEPOINT one_write")
    transaction = WriteTransaction(connection)
    try:
        write.result = write.work(transaction)
    except Exception as error:  # belongs to whoever asked for this write
        write.error = error
        try:
            connection.say("ROLLBACK TO one_write")
        except StoreError:
            raise error from None  # the database has given up the transaction (disk full): this is why
    else:
        write.changed_mailboxes = transaction.changed_mailboxes
        write.changed_types = transaction.changed_types
    connection.say("RELEASE one_write")
