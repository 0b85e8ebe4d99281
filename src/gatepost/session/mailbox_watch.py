"""Telling sessions that a mailbox they look at has changed, whoever changed it.

The store reports each committed change; this worker's sessions are called at once, the other workers by a notice.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from gatepost.values.ids import Id

Callback = Callable[[], None]


class MailboxWatch:
    """Which sessions of this worker look at which mailbox. Callbacks only note the news and wake their conversation."""

    def __init__(self, tell_other_workers: Callable[[Collection[Id]], None] | None = None) -> None:
        self._callbacks: dict[Id, set[Callback]] = {}
        self._tell_other_workers = tell_other_workers

    def watch(self, mailbox_id: Id, callback: Callback) -> Callable[[], None]:
        """Call `callback` after every change of the mailbox; the function returned ends that."""
        self._callbacks.setdefault(mailbox_id, set()).add(callback)

        def unwatch() -> None:
            callbacks = self._callbacks.get(mailbox_id)
            if callbacks is not None:
                callbacks.discard(callback)
                if not callbacks:
                    del self._callbacks[mailbox_id]

        return unwatch

    def changed_here(self, mailbox_ids: Collection[Id]) -> None:
        """A commit of this worker has changed these mailboxes."""
        self.changed_elsewhere(mailbox_ids)
        if self._tell_other_workers is not None:
            self._tell_other_workers(mailbox_ids)

    def changed_elsewhere(self, mailbox_ids: Collection[Id]) -> None:
        """Another worker has changed these mailboxes."""
        for mailbox_id in mailbox_ids:
            for callback in tuple(self._callbacks.get(mailbox_id, ())):
                callback()
