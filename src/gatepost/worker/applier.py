"""The running server as the management API sees it: changes and status, over the channel to the supervisor."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import msgspec

from gatepost.control.messages import (
    AbandonChange,
    ActivateChange,
    BeginChange,
    BindFailure,
    ChangeEnded,
    ChangeGranted,
    ChangePrepared,
    PrepareChange,
    StatusAnswer,
    StatusQuestion,
)
from gatepost.management.applying import ApplyError, ApplyFailure, ListenerStatus, NodeStatus
from gatepost.plan.plan import Plan
from gatepost.transport.counter_page import CounterPage
from gatepost.worker.listener_statuses import node_status

_TURN_DEADLINE = 60.0  # seconds
_ANSWER_DEADLINE = 45.0  # seconds
# The supervisor itself waits up to three times 30 s for workers, and a moment for sockets to be empty; for longer only where
# workers die or hang one after the other over sockets that clients wait in.
_ACTIVATION_DEADLINE = 105.0  # seconds
_GONE = "the supervisor is gone"
_OUT_OF_TURN = "the supervisor answered out of turn"

_Answer = ChangeGranted | ChangePrepared | ChangeEnded | StatusAnswer


class ChannelApplier:
    """One for each worker; its changes take turns here, and with those of other workers at the supervisor."""

    def __init__(self, send: Callable[[msgspec.Struct], None], page: CounterPage) -> None:
        self._send = send
        self._page = page
        self._lock = asyncio.Lock()
        self._waiting: dict[int, asyncio.Future[_Answer]] = {}
        self._numbers = itertools.count(1)
        self._is_supervisor_gone = False

    def answered(self, message: _Answer) -> None:
        """The supervisor has answered. An answer that nobody waits for any more is dropped."""
        waiting = self._waiting.get(message.number)
        if waiting is not None and not waiting.done():
            waiting.set_result(message)

    def supervisor_gone(self) -> None:
        """No answer will come any more."""
        self._is_supervisor_gone = True
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(ApplyError(_GONE))

    async def ask(self, question: Callable[[int], msgspec.Struct], deadline: float) -> _Answer:
        """Send a question, made with its number, and wait for the answer. Raises ApplyError where none comes."""
        if self._is_supervisor_gone:
            raise ApplyError(_GONE)
        number = next(self._numbers)
        waiting: asyncio.Future[_Answer] = asyncio.get_running_loop().create_future()
        self._waiting[number] = waiting
        try:
            self._send(question(number))
            return await asyncio.wait_for(waiting, deadline)
        except TimeoutError:
            raise ApplyError(f"no answer within {deadline:g} s; nothing is known to have changed") from None
        finally:
            del self._waiting[number]

    def change(self) -> AbstractAsyncContextManager[_RunningChange]:
        """See management.applying.Applier."""
        return self._change()

    @asynccontextmanager
    async def _change(self) -> AsyncIterator[_RunningChange]:
        async with self._lock:
            change: _RunningChange | None = None
            try:
                granted = await self.ask(lambda number: BeginChange(number=number), _TURN_DEADLINE)
                if isinstance(granted, ChangeEnded) and granted.errors:
                    raise ApplyError("; ".join(granted.errors))
                if not isinstance(granted, ChangeGranted):
                    raise ApplyError(_OUT_OF_TURN)
                change = _RunningChange(self, granted.running_plan)
                yield change
            finally:
                if change is None or not change.is_ended:
                    self._send(AbandonChange())

    async def statuses(self) -> Sequence[ListenerStatus]:
        """See management.applying.Applier."""
        return (await self.node_status()).listeners

    async def node_status(self) -> NodeStatus:
        """See management.applying.Applier."""
        answer = await self.ask(lambda number: StatusQuestion(number=number), _ANSWER_DEADLINE)
        if not isinstance(answer, StatusAnswer):
            raise ApplyError(_OUT_OF_TURN)
        return node_status(answer, self._page)


class _RunningChange:
    """See management.applying.Change."""

    def __init__(self, applier: ChannelApplier, running_plan: Plan) -> None:
        self._applier = applier
        self._running_plan = running_plan
        self.is_ended = False

    @property
    def running_plan(self) -> Plan:
        """What all workers run now."""
        return self._running_plan

    async def prepare(self, plan: Plan, *, is_stored: bool = False) -> Sequence[ApplyFailure]:
        """Bind the addresses at the supervisor, build TLS contexts in all workers. `is_stored`: see PrepareChange."""
        answer = await self._applier.ask(
            lambda number: PrepareChange(number=number, plan=plan, is_stored=is_stored), _ANSWER_DEADLINE
        )
        if not isinstance(answer, ChangePrepared):
            raise ApplyError(_OUT_OF_TURN)
        return [
            *(_bind_failure(failure) for failure in answer.failures),
            *(ApplyFailure(failure.listener_id, "useTls", failure.text) for failure in answer.tls_failures),
        ]

    async def activate(self, revision: int) -> None:
        """Returns when every worker runs the plan."""
        self.is_ended = True
        answer = await self._applier.ask(
            lambda number: ActivateChange(number=number, revision=revision), _ACTIVATION_DEADLINE
        )
        if isinstance(answer, ChangeEnded) and answer.errors:
            raise ApplyError("; ".join(answer.errors))


def _bind_failure(failure: BindFailure) -> ApplyFailure:
    description = f"{failure.address} cannot be bound: {failure.text} ({failure.errno_name}). {failure.advice}"
    return ApplyFailure(failure.listener_id, "bind", description.strip(), failure.address, failure.errno_name)
