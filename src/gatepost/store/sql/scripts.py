"""Sieve scripts (RFC 5804) in the SQL store. Called by ManageSieve sessions and delivery."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import bindparam, delete, false, func, insert, select, true, update

from gatepost.store.interface import Busy, Gone, ScriptEntry, Taken
from gatepost.store.sql.account_rows import require_account
from gatepost.store.sql.connection import SqlConnection, Statement
from gatepost.store.sql.readers import Readers
from gatepost.store.sql.schema import script
from gatepost.store.sql.writer import Writer, WriteTransaction
from gatepost.values.ids import Id

_OF_ACCOUNT = script.c.account_id == bindparam("account")
_NAMED = (_OF_ACCOUNT, script.c.name == bindparam("wanted"))
_LIST = Statement(
    select(script.c.name, script.c.is_active, func.length(script.c.text)).where(_OF_ACCOUNT).order_by(script.c.name)
)
_TEXT = Statement(select(script.c.text).where(*_NAMED))
_IS_ACTIVE = Statement(select(script.c.is_active).where(*_NAMED))
_INSERT = Statement(
    insert(script).values(
        account_id=bindparam("account_id"), name=bindparam("name"), text=bindparam("text"), is_active=false()
    )
)
_REPLACE = Statement(update(script).where(*_NAMED).values(text=bindparam("text")))
_DEACTIVATE = Statement(update(script).where(_OF_ACCOUNT, script.c.is_active == true()).values(is_active=false()))
_ACTIVATE = Statement(update(script).where(*_NAMED).values(is_active=true()))
_RENAME = Statement(update(script).where(*_NAMED).values(name=bindparam("new_name")))
_DELETE = Statement(delete(script).where(*_NAMED))


class SqlScriptStore:
    """The port ScriptStore."""

    def __init__(self, readers: Readers, writer: Writer) -> None:
        self._readers = readers
        self._writer = writer

    async def scripts(self, account_id: Id) -> Sequence[ScriptEntry]:
        rows = await self._readers.run(lambda connection: connection.rows(_LIST, account=account_id))
        return [ScriptEntry(name, bool(is_active), size) for name, is_active, size in rows]

    async def script(self, account_id: Id, name: str) -> bytes | None:
        row = await self._readers.run(lambda connection: connection.row(_TEXT, account=account_id, wanted=name))
        return bytes(row[0]) if row else None

    async def put_script(self, account_id: Id, name: str, text: bytes) -> None:
        def put(write: WriteTransaction) -> None:
            if not write.connection.run(_REPLACE, account=account_id, wanted=name, text=text):
                require_account(write.connection, account_id)
                write.connection.run(_INSERT, account_id=account_id, name=name, text=text)

        await self._writer.run(put)

    async def activate_script(self, account_id: Id, name: str | None) -> None:
        def activate(write: WriteTransaction) -> None:
            write.connection.run(_DEACTIVATE, account=account_id)
            if name is not None and not write.connection.run(_ACTIVATE, account=account_id, wanted=name):
                raise Gone(f"there is no script {name!r}")

        await self._writer.run(activate)

    async def rename_script(self, account_id: Id, old_name: str, new_name: str) -> None:
        def rename(write: WriteTransaction) -> None:
            _is_active(write.connection, account_id, old_name)
            if write.connection.row(_IS_ACTIVE, account=account_id, wanted=new_name) is not None:
                raise Taken(f"there is a script {new_name!r} already", Id(""))
            write.connection.run(_RENAME, account=account_id, wanted=old_name, new_name=new_name)

        await self._writer.run(rename)

    async def delete_script(self, account_id: Id, name: str) -> None:
        def remove(write: WriteTransaction) -> None:
            if _is_active(write.connection, account_id, name):
                raise Busy(f"the script {name!r} is active")
            write.connection.run(_DELETE, account=account_id, wanted=name)

        await self._writer.run(remove)


def _is_active(connection: SqlConnection, account_id: Id, name: str) -> bool:
    row = connection.row(_IS_ACTIVE, account=account_id, wanted=name)
    if row is None:
        raise Gone(f"there is no script {name!r}")
    return bool(row[0])
