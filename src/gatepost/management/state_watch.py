"""Telling who follows the configuration objects that some have changed, whichever worker changed them.

The store reports each committed change; those who watch in this worker are called at once, the other workers by a notice.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from gatepost.registry.catalogue import OBJECT_TYPES
from gatepost.values.ids import Id

Callback = Callable[[], None]


class StateWatch:
    """One per worker. Callbacks only note that there is news; the store is asked for what it is."""

    def __init__(self, tell_other_workers: Callable[[Collection[Id]], None] | None = None) -> None:
        self._tell_other_workers = tell_other_workers
        self._callbacks: set[Callback] = set()

    def watch(self, callback: Callback) -> Callable[[], None]:
        """Call `callback` after every change of an object; the function returned ends that."""
        self._callbacks.add(callback)
        return lambda: self._callbacks.discard(callback)

    def changed_here(self, type_names: Collection[str]) -> None:
        """A commit of this worker has changed objects of these types (without `x:`)."""
        self._call_all()
        if self._tell_other_workers is not None:
            # In a notice, where ids of mailboxes stand otherwise: no id has a colon.
            self._tell_other_workers([Id(OBJECT_TYPES[name].wire_name) for name in type_names if name in OBJECT_TYPES])

    def changed_elsewhere(self, names: Collection[str]) -> None:
        """A notice has come of another worker. Most are about mailboxes."""
        if any(":" in name for name in names):
            self._call_all()

    def _call_all(self) -> None:
        for callback in tuple(self._callbacks):
            callback()
