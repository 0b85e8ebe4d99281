"""Reading the configuration objects out of the store as typed objects."""

from __future__ import annotations

from gatepost.registry.catalogue import OBJECT_TYPES
from gatepost.registry.configuration import Configuration
from gatepost.store.interface import Broken, ConfigurationStore

_ATTEMPTS = 10


async def load_configuration(store: ConfigurationStore) -> tuple[int, Configuration]:
    """All objects as they are at one revision. Raises Broken when the store changes faster than it can be read."""
    revision = await store.revision()
    for _ in range(_ATTEMPTS):
        stored = [(name, each.id, each.value) for name in OBJECT_TYPES for each in await store.read_objects(name)]
        before, revision = revision, await store.revision()
        if before == revision:
            return revision, Configuration.load(stored)
    raise Broken(f"the configuration changed {_ATTEMPTS} times while it was read")
