"""Runs the method calls of a request one after the other (RFC 8620 section 3.10). The app hands it the body of a POST."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from gatepost.management.access import Caller
from gatepost.management.jmap.capabilities import CORE
from gatepost.management.jmap.failure import MethodError
from gatepost.management.jmap.limits import Limits
from gatepost.management.jmap.references import ResultReferences
from gatepost.management.jmap.request import Invocation, parse_request
from gatepost.store.interface import Busy, StoreError
from gatepost.telemetry import events
from gatepost.values.ids import Id
from gatepost.values.secret import Secret


class MethodContext(msgspec.Struct, frozen=True):
    """What a method knows of the request that it is part of. `created_ids` grows with every create of the request,
    `new_passwords` (account → hash) with every password that it changes."""

    caller: Caller
    using: frozenset[str]
    created_ids: dict[str, Id]
    limits: Limits
    new_passwords: dict[Id, Secret] = msgspec.field(default_factory=dict)


RunMethod = Callable[[Mapping[str, Any], MethodContext], Awaitable[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Method:
    """A method, and the capability that must be in `using` for it."""

    capability: str
    run: RunMethod


async def echo(arguments: Mapping[str, Any], _context: MethodContext) -> dict[str, Any]:
    """Core/echo (RFC 8620 section 4)."""
    return dict(arguments)


class EncodedAnswer(dict[str, Any]):
    """An answer of which parts were encoded before. `wire` is the same answer, with msgspec.Raw in the place of those parts;
    result references go through the dictionary itself."""

    def __init__(self, answer: Mapping[str, Any], encoded: Mapping[str, msgspec.Raw]) -> None:
        super().__init__(answer)
        self.wire = {**answer, **encoded}


class JmapEngine:
    """Answers requests with the methods that it was given, and Core/echo."""

    def __init__(self, methods: Mapping[str, Method], limits: Limits) -> None:
        self._methods = {"Core/echo": Method(CORE, echo), **methods}
        self.limits = limits

    async def process(
        self, octets: bytes, caller: Caller, session_state: str, new_passwords: dict[Id, Secret] | None = None
    ) -> bytes:
        """The Response object for a Request object. Raises RequestError. `new_passwords` gets those that the request changes."""
        request = parse_request(octets, self.limits)
        created_ids = dict(request.created_ids or {})
        changed = {} if new_passwords is None else new_passwords
        context = MethodContext(caller, request.using, created_ids, self.limits, changed)
        references = ResultReferences(self.limits.max_size_request)
        responses: list[Invocation] = []
        for call in request.calls:
            if responses:  # calls that wait for nothing would keep other clients waiting, all of them together
                await asyncio.sleep(0)
            responses.append(await self._respond(call, context, references, responses))
        more: dict[str, object] = {"sessionState": session_state}
        if request.created_ids is not None:
            more["createdIds"] = context.created_ids
        return _encode(responses, more)

    async def _respond(
        self, call: Invocation, context: MethodContext, references: ResultReferences, responses: list[Invocation]
    ) -> Invocation:
        try:
            arguments = await self._run(call, context, references, responses)
        except MethodError as error:
            return Invocation("error", error.arguments(), call.call_id)
        except Busy:
            busy = MethodError("serverUnavailable", "the store is busy: try again")
            return Invocation("error", busy.arguments(), call.call_id)
        except Exception as error:  # one call that fails must not take the others with it (RFC 8620 section 3.6.2)
            return Invocation("error", _failed(call.name, error).arguments(), call.call_id)
        return Invocation(call.name, arguments, call.call_id)

    async def _run(
        self, call: Invocation, context: MethodContext, references: ResultReferences, responses: list[Invocation]
    ) -> dict[str, Any]:
        method = self._methods.get(call.name)
        if method is None:
            raise MethodError("unknownMethod", "there is no method of this name")
        if method.capability not in context.using:
            raise MethodError("unknownMethod", f"this method needs {method.capability} in using")
        return await method.run(references.resolve(call.arguments, responses), context)


def _encode(responses: Sequence[Invocation], more: Mapping[str, object]) -> bytes:
    """The Response object (RFC 8620 section 3.4)."""
    try:
        return msgspec.json.encode(
            {"methodResponses": [[each.name, _wire(each), each.call_id] for each in responses], **more}
        )
    except OverflowError:  # Core/echo gives back whatever number it got; msgspec has 64 bits for one
        answer = {"methodResponses": [[each.name, each.arguments, each.call_id] for each in responses], **more}
        return json.dumps(answer, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def _wire(response: Invocation) -> Mapping[str, Any]:
    return response.arguments.wire if isinstance(response.arguments, EncodedAnswer) else response.arguments


def note_failure(method_name: str, error: Exception) -> None:
    """Log what a client is not told of. A store that fails is no fault of the code: the reason says it all."""
    if isinstance(error, StoreError):
        events.error(events.Event.STORE_FAILED, reason=str(error), method=method_name)
    else:
        events.error(events.Event.API_METHOD_FAILED, failure=error, method=method_name)


def _failed(method_name: str, error: Exception) -> MethodError:
    note_failure(method_name, error)
    words = "the store failed" if isinstance(error, StoreError) else "the server failed"
    return MethodError("serverFail", f"{words}; its log says why")
