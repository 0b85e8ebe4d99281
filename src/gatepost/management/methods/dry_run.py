"""What a dry run tells for each object: the steps that the change would take, and warnings. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

from gatepost.management.methods.set_request import Item
from gatepost.plan.difference import Step, StepKind
from gatepost.registry.configuration import Proposal
from gatepost.registry.network_listener import NETWORK_LISTENER
from gatepost.registry.warnings import warnings
from gatepost.values.ids import Id

_PROPERTIES = {  # of the plan's fields; wire names
    "backlog": "socketBacklog",
    "no_delay": "socketNoDelay",
    "receive_buffer": "socketReceiveBufferSize",
    "send_buffer": "socketSendBufferSize",
    "tos": "socketTosV4",
    "ttl": "socketTtl",
    "reuse_address": "socketReuseAddress",
    "reuse_port": "socketReusePort",
    "protocol": "protocol",
    "tls": "TLS policy",
    "is_tls_implicit": "tlsImplicit",
    "tls_timeout": "tlsTimeout",
    "proxy_networks": "trusted proxy networks",
    "workers": "workers",
    "max_connections": "maxConnections",
    "max_connections_per_address": "maxConnectionsPerAddress",
    "hostname": "defaultHostname",
    "proxy_header_timeout": "proxyHeaderTimeout",
    "drain_timeout": "drainTimeout",
    "may_log_in_over_clear_http": "allowClearHttpLogin",
    "max_message_size": "maxMessageSize",
    "certificates": "certificates",
    "blocked_networks": "blocked networks",
    "allowed_networks": "allowed networks",
    "hsts_max_age": "httpStrictTransportSecurity",
    "http_allowed_origins": "httpAllowedOrigins",
    "http_forwarded_networks": "httpForwardedNetworks",
    "watched_files": "files of certificates",
}


def dry_run_report(
    items: Iterable[Item], steps: Iterable[Step], proposal: Proposal, now: datetime
) -> dict[str, dict[str, list[object]]]:
    """By creation id or id of the object: `steps` and `warnings`. A step of a listener that is not itself being changed
    stands with every object that is: the change of settings or of a certificate brought it about."""
    items = list(items)
    changed = {item.ref.id for item in items if item.ref.object_type == NETWORK_LISTENER.name}
    warned = defaultdict(list)
    for ref, words in warnings(proposal, now):
        warned[ref].append(words)
    own, common = _steps_by_listener(steps, changed)
    return {
        item.key: {
            "steps": [wire for _, wire in sorted([*common, *own[item.ref.id]], key=_place)],
            "warnings": list(warned[item.ref]),
        }
        for item in items
    }


_Placed = tuple[int, dict[str, object]]  # the place of a step among all, and the step in wire form


def _steps_by_listener(
    steps: Iterable[Step], changed: Collection[Id]
) -> tuple[Mapping[Id, list[_Placed]], list[_Placed]]:
    """Those of each listener that is changed, and those that stand with every object."""
    own, common = defaultdict[Id, list[_Placed]](list), list[_Placed]()
    for place, step in enumerate(steps):
        of_whom = own[step.listener_id] if step.listener_id in changed and step.listener_id is not None else common
        of_whom.append((place, _step_to_wire(step)))
    return own, common


def _place(placed: _Placed) -> int:
    return placed[0]


def _step_to_wire(step: Step) -> dict[str, object]:
    wire: dict[str, object] = {"kind": step.kind.value, "description": _words(step)}
    if step.listener_name:
        wire["listener"] = step.listener_name
    if step.address is not None:
        wire["address"] = step.address
    if step.fields:
        wire["properties"] = [_PROPERTIES[field] for field in step.fields]
    return wire


def _words(step: Step) -> str:
    what = ", ".join(_PROPERTIES[field] for field in step.fields)
    match step.kind:
        case StepKind.OPEN:
            return f"open {step.address}"
        case StepKind.REOPEN:
            return f"rebind {step.address}: {what}"
        case StepKind.APPLY_NOW:
            return f"apply now: {what}"
        case StepKind.NEXT_CONNECTION:
            return f"from the next connection on: {what}"
        case StepKind.STOP_ACCEPTING:
            return f"stop accepting on {step.address}"
        case StepKind.DRAIN:
            return f"drain {step.listener_name}: open connections go on"
