"""Which slot of the counter page belongs to which listener."""

from __future__ import annotations

from gatepost.control.messages import DrainingListener
from gatepost.plan.plan import Plan
from gatepost.transport.counter_page import MAX_SLOTS, SERVER_SLOT, Cell, CounterPage
from gatepost.values.ids import Id


class CounterSlots:
    """Gives slots out, and takes them back when the last connection of a removed listener is gone."""

    def __init__(self, page: CounterPage) -> None:
        self._page = page
        self._slots: dict[Id, int] = {}
        self._names: dict[Id, str] = {}
        self._leaving: dict[int, DrainingListener] = {}  # by slot
        self._free = list(range(MAX_SLOTS - 1, SERVER_SLOT, -1))

    @property
    def by_listener(self) -> dict[Id, int]:
        """The slot of each listener of the plan."""
        return dict(self._slots)

    def follow(self, plan: Plan) -> None:
        """Slots for new listeners, caps as the plan has them: in force at once in all workers."""
        self._take_back_empty_ones()
        listeners = {listener.id for listener in plan.listeners}
        for gone in [listener_id for listener_id in self._slots if listener_id not in listeners]:
            slot = self._slots.pop(gone)
            self._leaving[slot] = DrainingListener(listener_id=gone, name=self._names.pop(gone), counter_slot=slot)
        for listener in plan.listeners:
            if listener.id not in self._slots:
                slot = self._free.pop()
                self._page.clear_slot(slot)
                self._slots[listener.id] = slot
                self._names[listener.id] = listener.name
            self._page.set_cap(self._slots[listener.id], listener.max_connections)
        self._page.set_cap(SERVER_SLOT, plan.max_connections)

    def draining(self) -> tuple[DrainingListener, ...]:
        """Listeners that are gone from the plan and still have connections."""
        self._take_back_empty_ones()
        return tuple(self._leaving.values())

    def room_for(self, plan: Plan) -> bool:
        """Whether there are slots for all listeners of the plan."""
        self._take_back_empty_ones()
        return len([1 for listener in plan.listeners if listener.id not in self._slots]) <= len(self._free)

    def _take_back_empty_ones(self) -> None:
        for slot in [slot for slot in self._leaving if self._page.total(slot, Cell.CONNECTIONS) == 0]:
            del self._leaving[slot]
            self._free.append(slot)
