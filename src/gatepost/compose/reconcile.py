"""Bringing what runs back to what is stored: after a crash between the two, or when somebody asks for it."""

from __future__ import annotations

import asyncio

from msgspec import structs

from gatepost.management.applying import ApplyError
from gatepost.management.stored_configuration import load_configuration
from gatepost.plan.derive import derive
from gatepost.store.interface import ConfigurationStore, StoreError
from gatepost.telemetry import events
from gatepost.telemetry.events import Event
from gatepost.worker.applier import ChannelApplier


class Reconciler:
    """One per worker; the supervisor asks one of them."""

    def __init__(self, store: ConfigurationStore, applier: ChannelApplier) -> None:
        self._store = store
        self._applier = applier
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Look, in a task of its own; not twice at the same time."""
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._reconcile())

    async def _reconcile(self) -> None:
        try:
            async with self._applier.change() as change:
                revision, configuration = await load_configuration(self._store)
                plan = derive(
                    revision=revision,
                    settings=configuration.settings,
                    listeners=configuration.listeners,
                    certificates=configuration.certificates,
                )
                if structs.replace(plan, revision=change.running_plan.revision) == change.running_plan:
                    return
                failures = await change.prepare(plan, is_stored=True)
                if failures:
                    reasons = [failure.description for failure in failures]
                    events.error(Event.PLAN_NOT_APPLIED, revision=revision, reasons=reasons)
                    return
                await change.activate(revision)
        except (ApplyError, StoreError) as error:
            events.error(Event.PLAN_NOT_APPLIED, reason=str(error))
