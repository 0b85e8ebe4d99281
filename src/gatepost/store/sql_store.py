"""The store that gatepost runs on: one database for configuration objects, mail and scripts. Opened once per worker.

`migrate.migrate` has to have run before, once for all workers. The SQL is in `sql/`, one file per concern.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path
from typing import Final

from sqlalchemy import text

from gatepost.store.interface import Broken, ConfigurationStore, MailStore, ScriptStore, StoreError
from gatepost.store.maildrop_lock import MaildropLocks
from gatepost.store.sql.configuration import SqlConfigurationStore
from gatepost.store.sql.connection import SqlConnection, Statement
from gatepost.store.sql.data_version import DataVersion
from gatepost.store.sql.dialect import Dialect, dialect_for
from gatepost.store.sql.mail import SqlMailStore
from gatepost.store.sql.readers import Readers
from gatepost.store.sql.schema import SCHEMA_REVISION
from gatepost.store.sql.scripts import SqlScriptStore
from gatepost.store.sql.writer import Writer
from gatepost.values.ids import Id

_LOCK_FILE: Final = "maildrops.lock"
_REVISION: Final = Statement(text("SELECT version_num FROM alembic_version"))


def _nobody_looks(names: Collection[str]) -> None:
    """For a process without sessions."""


class SqlStore:
    """The three ports over one database. Belongs to the event loop that uses it first.

    >>> migrate("/var/lib/gatepost")                                  # doctest: +SKIP
    >>> store = SqlStore.open("/var/lib/gatepost")                    # doctest: +SKIP
    >>> inbox = await store.mail.mailbox(account_id, "INBOX")         # doctest: +SKIP
    """

    def __init__(
        self,
        dialect: Dialect,
        on_mailboxes_changed: Callable[[Collection[Id]], None],
        on_types_changed: Callable[[Collection[str]], None],
    ) -> None:
        self._dialect = dialect
        self._readers = Readers(dialect)
        self._data_version = DataVersion(dialect)
        self._writer = Writer(dialect, on_mailboxes_changed, on_types_changed)
        locks = MaildropLocks(dialect.data_directory / _LOCK_FILE)
        self.configuration: ConfigurationStore = SqlConfigurationStore(self._readers, self._writer, self._data_version)
        self.mail: MailStore = SqlMailStore(self._readers, self._writer, locks)
        self.scripts: ScriptStore = SqlScriptStore(self._readers, self._writer)

    @classmethod
    def open(
        cls,
        location: str | Path,
        *,
        on_mailboxes_changed: Callable[[Collection[Id]], None] = _nobody_looks,
        on_types_changed: Callable[[Collection[str]], None] = _nobody_looks,
    ) -> SqlStore:
        """Open the store at a database URL or in a data directory. Blocks for some milliseconds: call it at start.

        `on_mailboxes_changed` is called on the event loop after each commit of this process that changed mailboxes,
        `on_types_changed` after each that changed configuration objects, with the names of their types.
        Raises Broken when there is no store of this version, Busy when it is locked.
        """
        dialect = dialect_for(location)
        _check_revision(dialect)
        return cls(dialect, on_mailboxes_changed, on_types_changed)

    async def make_room(self) -> None:
        """What makes later commits faster; for a process that will make many of them. It takes its turn among the writes."""
        with suppress(StoreError):  # nothing depends on it
            await self._writer.run(lambda _transaction: self._dialect.make_room())

    async def close(self) -> None:
        """Commit and answer what is queued, then give everything back. Calls after that raise Broken."""
        self._readers.refuse_more()
        self._writer.refuse_more()
        await asyncio.to_thread(self._join)

    def _join(self) -> None:
        self._writer.join()
        self._readers.join()
        self._data_version.close()
        self._dialect.engine.dispose()


def _check_revision(dialect: Dialect) -> None:
    database = dialect.engine.url.database
    if database is None or not Path(database).is_file():  # SQLite would make an empty one
        raise Broken(f"there is no store at {database}; it has to be migrated first")
    connection = SqlConnection(dialect)
    try:
        row = connection.row(_REVISION)
    except Broken as error:
        raise Broken(f"{database} holds no store: {error}") from error
    finally:
        connection.close()
    if row is None or row[0] != SCHEMA_REVISION:
        found = row[0] if row else "none"
        raise Broken(f"the store at {database} has schema {found}, this version of gatepost needs {SCHEMA_REVISION}")
