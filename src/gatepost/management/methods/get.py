"""Foo/get (RFC 8620 section 5.1) for every object type."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from gatepost.management.jmap.arguments import Arguments
from gatepost.management.jmap.engine import EncodedAnswer, MethodContext
from gatepost.management.jmap.failure import MethodError, invalid_arguments
from gatepost.management.methods.reading import TypeReader
from gatepost.registry.permissions import Verb
from gatepost.values.ids import Id


async def get(reader: TypeReader, values: Mapping[str, Any], context: MethodContext) -> dict[str, Any]:
    """The objects that were asked for, as far as the caller may see them."""
    allowed = reader.allow(context.caller, Verb.GET)
    wanted_ids, properties = read_get(values, context, reader.object_type.properties)
    snapshot = await reader.visible(context.caller, allowed)
    answer = answer_get(context, snapshot.state, wanted_ids, properties, snapshot.objects)
    if wanted_ids is None and properties is None:
        return EncodedAnswer(answer, {"list": snapshot.encoded})
    return answer


def real_id(text: str, context: MethodContext) -> Id:
    """The id itself, or the one of the object that was created as `#text` earlier in the request."""
    return context.created_ids.get(text[1:], Id(text)) if text.startswith("#") else Id(text)


def read_get(
    values: Mapping[str, Any], context: MethodContext, known: Collection[str]
) -> tuple[list[str] | None, list[str] | None]:
    """The ids and the properties that are wanted; None: all. Raises MethodError: accountNotFound, requestTooLarge, and
    invalidArguments, also for a property that is not one of the known."""
    arguments = Arguments(values)
    arguments.account(context.caller.account_id)
    wanted_ids, properties = arguments.optional_texts("ids"), arguments.optional_texts("properties")
    arguments.finish()
    unknown = [name for name in properties or () if name != "id" and name not in known]
    if unknown:
        raise invalid_arguments(f"unknown property {unknown[0][:64]!r}")
    check_size(wanted_ids, context)
    return wanted_ids, properties


def check_size(wanted_ids: Sequence[str] | None, context: MethodContext) -> None:
    """Raises MethodError requestTooLarge."""
    most = context.limits.max_objects_in_get
    if wanted_ids is not None and len(wanted_ids) > most:
        raise MethodError("requestTooLarge", f"at most {most} objects can be had in one call")


def answer_get(
    context: MethodContext,
    state: str,
    wanted_ids: Sequence[str] | None,
    properties: Sequence[str] | None,
    objects: Mapping[Id, Mapping[str, object]],
) -> dict[str, Any]:
    """The answer, given the objects (all that exist of those that were asked for) in their wire form."""
    ids = list(objects) if wanted_ids is None else list(dict.fromkeys(real_id(each, context) for each in wanted_ids))
    check_size(ids, context)
    return {
        "accountId": context.caller.account_id,
        "state": state,
        "list": [_view(object_id, objects[object_id], properties) for object_id in ids if object_id in objects],
        "notFound": [object_id for object_id in ids if object_id not in objects],
    }


def _view(object_id: Id, wire: Mapping[str, object], properties: Sequence[str] | None) -> Mapping[str, object]:
    """RFC 8620 section 5.1: the id is always there."""
    if properties is None:
        return wire if "id" in wire else {"id": object_id, **wire}
    return {"id": object_id, **{name: wire[name] for name in properties if name in wire}}
