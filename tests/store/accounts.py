"""Accounts in a store, so that it takes mail and scripts for them."""

from __future__ import annotations

from gatepost.store.interface import ConfigurationStore, ObjectWrite
from gatepost.values.ids import Id

ALICE, BOB = Id("alice"), Id("bob")


async def give_accounts(configuration: ConfigurationStore) -> None:
    """Alice and Bob have accounts from now on."""
    await configuration.commit(
        [ObjectWrite("Account", account_id, {"name": account_id}) for account_id in (ALICE, BOB)]
    )
