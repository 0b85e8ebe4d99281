"""What has to be done to get from one plan to another: ordered steps, for a dry run to tell.

Nothing runs these steps: supervisor and workers compare the plans themselves, each in its own part. That both come to the
same is what tests/integration/test_dry_run_tells_the_truth.py is for.
"""

from __future__ import annotations

from enum import Enum

import msgspec

from gatepost.plan.plan import ListenerPlan, Plan, SocketPlan
from gatepost.values.ids import Id


class StepKind(Enum):
    """What a step does, in the order in which steps run: the new is started before the old is stopped."""

    OPEN = "open"  # bind and listen on a new address
    REOPEN = "rebind"  # the set of sockets of an address changes, none is closed with clients in it
    APPLY_NOW = "applyNow"  # a socket option or a limit, in force when the change is answered
    NEXT_CONNECTION = "nextConnection"  # policy of connections that come
    STOP_ACCEPTING = "close"  # an address is given up
    DRAIN = "drain"  # connections of a removed listener live on until they end, or until the drain timeout


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One step. `address` for steps about one address; `fields` are the plan's fields that it brings into force."""

    kind: StepKind
    listener_id: Id | None
    listener_name: str
    address: str | None = None
    fields: tuple[str, ...] = ()


_ORDER = {kind: position for position, kind in enumerate(StepKind)}
_BUFFERS = ("receive_buffer", "send_buffer")
_APPLIED_NOW = ("backlog", "no_delay", "reuse_address", *_BUFFERS, "tos", "ttl")
_NEXT_CONNECTION = ("protocol", "tls", "is_tls_implicit", "tls_timeout", "proxy_networks")
_SERVER_FIELDS_NOW = (
    "workers",
    "max_connections",
    "max_connections_per_address",
    "drain_timeout",
    "blocked_networks",
    "allowed_networks",
    "hsts_max_age",
    "http_allowed_origins",
    "http_forwarded_networks",
)
_SERVER_FIELDS_NEXT = (
    "hostname",
    "proxy_header_timeout",
    "may_log_in_over_clear_http",
    "max_message_size",
    "certificates",
    "watched_files",
)


def difference(old: Plan, new: Plan) -> tuple[Step, ...]:
    """The steps from `old` to `new`, in the order in which they run. Empty exactly when nothing has to be done."""
    steps = _server_steps(old, new)
    old_listeners = {listener.id: listener for listener in old.listeners}
    for listener in new.listeners:
        before = old_listeners.pop(listener.id, None)
        if before is None:
            steps += [_address_step(StepKind.OPEN, listener, address) for address in listener.addresses]
        else:
            steps += _changes_of_listener(before, listener)
    for removed in old_listeners.values():
        steps += [_address_step(StepKind.STOP_ACCEPTING, removed, address) for address in removed.addresses]
        steps.append(Step(kind=StepKind.DRAIN, listener_id=removed.id, listener_name=removed.name))
    return tuple(sorted(steps, key=lambda step: _ORDER[step.kind]))


def _server_steps(old: Plan, new: Plan) -> list[Step]:
    steps: list[Step] = []
    for kind, names in ((StepKind.APPLY_NOW, _SERVER_FIELDS_NOW), (StepKind.NEXT_CONNECTION, _SERVER_FIELDS_NEXT)):
        if changed := _changed(old, new, names):
            steps.append(Step(kind=kind, listener_id=None, listener_name="", fields=changed))
    return steps


def _changes_of_listener(old: ListenerPlan, new: ListenerPlan) -> list[Step]:
    steps = [_address_step(StepKind.OPEN, new, added) for added in new.addresses if added not in old.addresses]
    steps += [_address_step(StepKind.STOP_ACCEPTING, new, gone) for gone in old.addresses if gone not in new.addresses]
    kept = [address for address in new.addresses if address in old.addresses]
    given_back = buffers_given_back(old.socket, new.socket)
    if rebound := _changed(old.socket, new.socket, ("reuse_port",)) + given_back:
        steps += [_address_step(StepKind.REOPEN, new, address, rebound) for address in kept]
    of_sockets = [name for name in _changed(old.socket, new.socket, _APPLIED_NOW) if name not in given_back]
    applied_now = (*of_sockets, *_changed(old, new, ("max_connections",)))
    next_connection = _changed(old, new, _NEXT_CONNECTION)
    for kind, fields in ((StepKind.APPLY_NOW, applied_now), (StepKind.NEXT_CONNECTION, next_connection)):
        if fields:
            steps.append(Step(kind=kind, listener_id=new.id, listener_name=new.name, fields=fields))
    return steps


def buffers_given_back(old: SocketPlan, new: SocketPlan) -> tuple[str, ...]:
    """Buffers that the kernel shall size itself again: it has no call for that, so it takes new sockets."""
    wanted = msgspec.structs.asdict(new)
    return tuple(name for name in _changed(old, new, _BUFFERS) if wanted[name] is None)


def _address_step(kind: StepKind, listener: ListenerPlan, address: str, fields: tuple[str, ...] = ()) -> Step:
    return Step(kind=kind, listener_id=listener.id, listener_name=listener.name, address=address, fields=fields)


def _changed(old: msgspec.Struct, new: msgspec.Struct, names: tuple[str, ...]) -> tuple[str, ...]:
    before, after = msgspec.structs.asdict(old), msgspec.structs.asdict(new)
    return tuple(name for name in names if before[name] != after[name])


def needs_other_tls(running: Plan, wanted: Plan) -> bool:
    """Whether TLS contexts have to be built that the running plan has not: other certificates, or a policy that is new."""
    policies = [{(each.tls, each.protocol) for each in plan.listeners if each.tls} for plan in (running, wanted)]
    return running.certificates != wanted.certificates or not policies[1] <= policies[0]
