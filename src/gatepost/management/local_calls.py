"""Methods of the API called from inside the process, with an administrator's rights: for plan files before anything listens, and
for programs that embed the mail server."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from gatepost.management.access import Caller
from gatepost.management.applying import Applier
from gatepost.management.jmap.capabilities import CONFIGURATION, GATEPOST
from gatepost.management.jmap.engine import MethodContext
from gatepost.management.jmap.failure import MethodError
from gatepost.management.jmap.limits import Limits
from gatepost.management.methods.set_flow import SetParts
from gatepost.management.methods.table import method_table
from gatepost.management.open_connections import NoConnections, OpenConnections
from gatepost.registry.account import Role
from gatepost.registry.change import ChangeCause
from gatepost.session.password_hash import HashToStore, hash_to_store
from gatepost.store.interface import ConfigurationStore
from gatepost.store.new_id import new_id
from gatepost.values.ids import Id


class LocalCalls:
    """Answers method calls as the API would. Raises MethodError."""

    def __init__(
        self,
        store: ConfigurationStore,
        applier: Applier,
        delete_account_mail: Callable[[Id], Awaitable[None]],
        hash_password: HashToStore = hash_to_store,
        cause: ChangeCause = ChangeCause.PLAN_FILE,
        *,
        connections: OpenConnections | None = None,
    ) -> None:
        open_ones = connections or NoConnections()
        parts = SetParts(
            store=store,
            applier=applier,
            hash_to_store=hash_password,
            delete_account_mail=delete_account_mail,
            make_id=new_id,
            now=lambda: datetime.now(UTC),
            connections=open_ones,
            cause=cause,
            random_octets=secrets.token_bytes,
        )
        self._table = method_table(parts, open_ones)
        self._context = MethodContext(
            caller=Caller(account_id=Id("local"), login_name="local", role=Role.ADMIN),
            using=frozenset({CONFIGURATION, GATEPOST}),
            created_ids={},
            limits=Limits(max_objects_in_get=sys.maxsize),  # nobody else waits: everything at once is fine
        )

    async def call(self, method: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments of the method's response."""
        if method not in self._table:
            raise MethodError("unknownMethod", f"there is no method {method!r}; one is 'x:Account/get'")
        return await self._table[method].run({"accountId": "local", **arguments}, self._context)
