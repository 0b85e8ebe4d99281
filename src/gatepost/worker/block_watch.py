"""The blocked networks of a worker, as time goes by: a block ends when its time is over, without anybody changing anything."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from gatepost.plan.plan import NetworkPlan, Plan
from gatepost.transport.blocked_networks import BlockTable, next_expiry, table_at
from gatepost.values.ip_mask import IpAddress, unmapped

_LONGEST_WAIT = 30.0  # seconds: clocks are set, machines sleep
Networks = tuple[NetworkPlan, ...]


class BlockWatch:
    """`table` is what holds now; None where nobody is blocked. `on_new_table` is called when it has become another one."""

    __slots__ = ("_allowed", "_blocked", "_looked_at", "_on_new_table", "_timer", "_until", "table")

    def __init__(self, on_new_table: Callable[[], None] = lambda: None) -> None:
        self.table: BlockTable | None = None
        self._on_new_table = on_new_table
        self._blocked: Networks = ()
        self._allowed: Networks = ()
        self._looked_at = 0.0
        self._until: float | None = None
        self._timer: asyncio.TimerHandle | None = None

    def follow(self, plan: Plan) -> None:
        """Hold what the plan says from now on."""
        if (plan.blocked_networks, plan.allowed_networks) != (self._blocked, self._allowed):
            self._blocked, self._allowed = plan.blocked_networks, plan.allowed_networks
            self._look()

    def refuses(self, address: IpAddress) -> bool:
        """Whether clients of the address are refused now."""
        return self.table is not None and self.table.refuses(unmapped(address).packed)

    def _look(self) -> None:
        self._looked_at = now = time.time()
        self.table = table_at(now, self._blocked, self._allowed)
        self._until = next_expiry(now, (*self._blocked, *self._allowed))
        self._wait(now)
        self._on_new_table()

    def _wait(self, now: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if any(each.until is not None for each in (*self._blocked, *self._allowed)):
            delay = _LONGEST_WAIT if self._until is None else min(max(self._until - now, 0), _LONGEST_WAIT)
            self._timer = asyncio.get_running_loop().call_later(delay, self._timed)

    def _timed(self) -> None:
        now = time.time()
        is_over = self._until is not None and self._until <= now
        if is_over or now < self._looked_at:  # a clock that was set back: what had ended too early holds again
            self._look()
        else:
            self._wait(now)
