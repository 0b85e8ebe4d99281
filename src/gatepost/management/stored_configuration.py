"""Reading the configuration objects out of the store as typed objects."""

from __future__ import annotations

from gatepost.registry.catalogue import OBJECT_TYPES
from gatepost.registry.configuration import Configuration
from gatepost.store.interface import ConfigurationStore


async def load_configuration(store: ConfigurationStore) -> tuple[int, Configuration]:
    """The number of the newest commit, and all objects as they are at it. Raises the store's errors."""
    read = await store.snapshots(OBJECT_TYPES)
    stored = [(name, each.id, each.value) for name, snapshot in read.types.items() for each in snapshot.objects]
    return read.revision, Configuration.load(stored)
