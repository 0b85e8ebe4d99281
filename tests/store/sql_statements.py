"""Every statement of the SQL store, by `module.name`."""

from __future__ import annotations

from gatepost.store.sql import (
    account_rows,
    configuration,
    content_rows,
    history,
    mailbox_rename,
    mailbox_rows,
    mailbox_state,
    message_reads,
    message_writes,
    scripts,
)
from gatepost.store.sql.connection import Statement

_MODULES = (
    account_rows,
    configuration,
    content_rows,
    history,
    mailbox_rename,
    mailbox_rows,
    mailbox_state,
    message_reads,
    message_writes,
    scripts,
)
STATEMENTS = {
    f"{module.__name__.rsplit('.', 1)[1]}.{name}": statement
    for module in _MODULES
    for name, statement in vars(module).items()
    if isinstance(statement, Statement)
}
