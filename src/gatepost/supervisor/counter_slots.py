"""Which slot of the counter page belongs to which listener."""

from __future__ import annotations

from collections.abc import Sequence

from gatepost.control.handover import HandedSlot
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

    @property
    def by_listener_that_counts(self) -> dict[Id, int]:
        """Of those too that are gone from the plan and may have connections yet."""
        return {**{each.listener_id: slot for slot, each in self._leaving.items()}, **self._slots}

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
        return tuple(each for slot, each in self._leaving.items() if self._page.total(slot, Cell.CONNECTIONS))

    def handed_over(self) -> tuple[HandedSlot, ...]:
        """For another server that counts in the same page; see `take_over`."""
        in_use = [
            HandedSlot(listener_id=listener_id, name=self._names[listener_id], slot=slot)
            for listener_id, slot in self._slots.items()
        ]
        draining = [
            HandedSlot(listener_id=each.listener_id, name=each.name, slot=slot, is_draining=True)
            for slot, each in self._leaving.items()
        ]
        return (*in_use, *draining)

    def take_over(self, slots: Sequence[HandedSlot]) -> None:
        """The page came from another server that gave these out."""
        for each in slots:
            self._free.remove(each.slot)
            if each.is_draining:
                gone = DrainingListener(listener_id=each.listener_id, name=each.name, counter_slot=each.slot)
                self._leaving[each.slot] = gone
            else:
                self._slots[each.listener_id], self._names[each.listener_id] = each.slot, each.name

    def room_for(self, plan: Plan) -> bool:
        """Whether there are slots for all listeners of the plan."""
        self._take_back_empty_ones()
        return len([1 for listener in plan.listeners if listener.id not in self._slots]) <= len(self._free)

    def _take_back_empty_ones(self) -> None:
        """Only as a change begins: until the one before has ended, clients come in at sockets that are being given up."""
        for slot in [slot for slot in self._leaving if self._page.total(slot, Cell.CONNECTIONS) == 0]:
            del self._leaving[slot]
            self._free.append(slot)
