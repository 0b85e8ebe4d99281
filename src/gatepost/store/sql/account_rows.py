"""Whether an account is there, asked inside the transaction that is about to store something for it. Used by `mailbox_rows` and
`scripts`: so nothing is ever stored for an account that is gone, however long ago somebody has looked it up.
"""

from __future__ import annotations

from sqlalchemy import bindparam, select

from gatepost.store.interface import Gone
from gatepost.store.sql.connection import SqlConnection, Statement
from gatepost.store.sql.schema import configuration_object as stored
from gatepost.values.ids import Id

_ACCOUNT = "Account"  # the type's name in the registry
_IS_THERE = Statement(
    select(stored.c.position).where(stored.c.type == bindparam("object_type"), stored.c.id == bindparam("account"))
)


def require_account(connection: SqlConnection, account_id: Id) -> None:
    """Raises Gone."""
    if connection.row(_IS_THERE, object_type=_ACCOUNT, account=account_id) is None:
        raise Gone(f"there is no account {account_id}")
