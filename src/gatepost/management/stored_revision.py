"""Which revision should run: for the status and the metrics, that an operator compares with the one that does."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from msgspec import structs

from gatepost.management.methods.set_work import Surroundings, plan_of
from gatepost.management.stored_configuration import load_configuration
from gatepost.plan.plan import Plan
from gatepost.registry.file_path import NO_FILES
from gatepost.store.interface import ConfigurationStore


class StoredRevision:
    """The number of the newest commit that listeners have to do with. Most commits change nothing that listeners do (an
    account, a log-out), and nobody brings those into force: then it is the revision that runs."""

    def __init__(self, store: ConfigurationStore, now: Callable[[], datetime]) -> None:
        self._store = store
        self._now = now
        # A stored revision, and one that ran and was the same but for the number.
        self._compared: tuple[int, int] | None = None

    async def beside(self, running: Plan) -> int:
        """`running.revision` exactly when what is stored makes the plan that runs. Raises the store's errors."""
        stored = await self._store.revision()
        if stored == running.revision or self._compared == (stored, running.revision):
            return running.revision
        stored, configuration = await load_configuration(self._store)
        wanted = plan_of(configuration, running.revision, Surroundings(self._now(), NO_FILES, running))
        if structs.replace(wanted, revision=running.revision) != running:
            return stored
        self._compared = (stored, running.revision)
        return running.revision
