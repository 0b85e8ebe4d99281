"""Plan files at start: the same operations, checks and words as `gatepost apply`, on the store instead of a server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from gatepost.config.apply_plan import Outcome, apply_plan
from gatepost.config.object_shape import ObjectShape, ObjectShapes, shapes_of
from gatepost.config.plan_file import Operation, PlanError
from gatepost.management.applying import ApplyError, ApplyFailure, ListenerStatus, NodeStatus
from gatepost.management.jmap.failure import MethodError
from gatepost.management.local_calls import LocalCalls
from gatepost.plan.plan import Plan
from gatepost.registry.catalogue import OBJECT_TYPES
from gatepost.registry.schema import schema_document


class NothingRuns:
    """The port to a running server before there is one: whatever passes the checks is accepted."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan

    @asynccontextmanager
    async def change(self) -> AsyncIterator[NothingRuns]:
        """See management.applying.Applier."""
        yield self

    @property
    def running_plan(self) -> Plan:
        """Nothing runs yet; what is stored is what changes are compared with."""
        return self._plan

    async def prepare(self, plan: Plan) -> Sequence[ApplyFailure]:
        """Addresses are bound when the server starts; one that cannot be is reported then."""
        self._plan = plan
        return ()

    async def activate(self, revision: int) -> None:
        """Nobody has to follow."""

    async def statuses(self) -> Sequence[ListenerStatus]:
        """None runs."""
        return ()

    async def node_status(self) -> NodeStatus:
        """Nobody asks."""
        raise ApplyError("no server runs")


class _Store:
    """The store in the place of a server; called in a thread, answers from the event loop."""

    def __init__(self, calls: LocalCalls, loop: asyncio.AbstractEventLoop) -> None:
        self._calls = calls
        self._loop = loop
        self._shapes = shapes_of(schema_document(OBJECT_TYPES.values()))

    @property
    def shapes(self) -> ObjectShapes:
        """The object types."""
        return self._shapes

    def get_all(self, shape: ObjectShape) -> list[dict[str, Any]]:
        """Every object of the type."""
        objects: list[dict[str, Any]] = self._call(f"{shape.wire_name}/get", {"ids": None})["list"]
        return objects

    def set(self, shape: ObjectShape, **arguments: Any) -> Mapping[str, Any]:
        """A /set and its answer."""
        return self._call(f"{shape.wire_name}/set", arguments)

    def limit(self, name: str, otherwise: int) -> int:  # noqa: ARG002 - the port's signature
        """No limit but what a transaction takes."""
        return otherwise

    def _call(self, method: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        return asyncio.run_coroutine_threadsafe(self._calls.call(method, arguments), self._loop).result()


async def apply_operations(operations: Sequence[Operation], calls: LocalCalls, notes: list[str]) -> tuple[str, ...]:
    """Apply the operations of all plan files in order, up to the first that is refused; the problems found, each with
    file, line and property. Who writes a plan for a start says explicitly what is wanted: there is no lock-out guard.
    What the operator must see now or never, the secret of a new API key, is added to `notes`."""
    server = _Store(calls, asyncio.get_running_loop())
    try:
        outcomes = await asyncio.to_thread(apply_plan, server, operations, _ignore, options={"allowLockOut": True})
    except PlanError as error:
        return tuple(str(problem) for problem in error.problems)
    except MethodError as error:
        return (f"the plan could not be carried out: {error.description}",)
    notes += [f"{each.step.title}  {name}  {secret}" for each in outcomes for name, secret in each.secrets.items()]
    return tuple(problem for outcome in outcomes for problem in outcome.problems())


def _ignore(_outcome: Outcome) -> None:
    """At start nothing is told step by step."""
