"""x:ListenerStatus/get, /query and /set: what the listeners of this node do now. Read-only, made by the running server."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec

from gatepost.management.access import demand
from gatepost.management.applying import AddressStatus, Applier, ListenerStatus
from gatepost.management.jmap.arguments import Arguments
from gatepost.management.jmap.engine import MethodContext
from gatepost.management.jmap.failure import MethodError
from gatepost.management.methods.get import answer_get, read_get
from gatepost.management.methods.plain_set import all_refused, answer_set, read_plain_set, refused_or_missing
from gatepost.management.methods.query import answer_query, read_selection, read_window
from gatepost.management.methods.set_error import SetError
from gatepost.management.stored_revision import StoredRevision
from gatepost.registry.listener_status import LISTENER_STATUS
from gatepost.registry.permissions import Verb
from gatepost.values.ids import Id

_READ_ONLY = SetError(
    "forbidden", "the server finds out what a listener does: change the NetworkListener in place of it"
)


class StatusMethods:
    """The methods. The id of a status is the id of its listener."""

    def __init__(self, applier: Applier, stored_revision: StoredRevision) -> None:
        self._applier = applier
        self._stored_revision = stored_revision

    async def get(self, values: Mapping[str, Any], context: MethodContext) -> dict[str, Any]:
        """RFC 8620 section 5.1."""
        demand(context.caller, LISTENER_STATUS.name, Verb.GET)
        wanted_ids, properties = read_get(values, context, LISTENER_STATUS.properties)
        statuses = await self._statuses()
        return answer_get(context, _state(statuses), wanted_ids, properties, statuses)

    async def query(self, values: Mapping[str, Any], context: MethodContext) -> dict[str, Any]:
        """RFC 8620 section 5.5."""
        demand(context.caller, LISTENER_STATUS.name, Verb.QUERY)
        arguments = Arguments(values)
        arguments.account(context.caller.account_id)
        selection = read_selection(arguments, LISTENER_STATUS)
        window = read_window(arguments)
        arguments.finish()
        statuses = await self._statuses()
        ids = await selection.ids(statuses)
        return answer_query(context, _state(statuses), ids, window, can_calculate_changes=False)

    async def set(self, values: Mapping[str, Any], context: MethodContext) -> dict[str, Any]:
        """RFC 8620 section 5.3: refuses whatever is asked for."""
        wanted, is_dry_run = read_plain_set(LISTENER_STATUS.name, values, context)
        statuses = await self._statuses()
        state = _state(statuses)
        if wanted.if_in_state not in (None, state):
            raise MethodError("stateMismatch", "the listeners do something else by now")
        refused = {
            "notCreated": all_refused(wanted.creates, _READ_ONLY),
            "notUpdated": refused_or_missing(wanted.updates, statuses, _READ_ONLY),
            "notDestroyed": refused_or_missing(wanted.destroys, statuses, _READ_ONLY),
        }
        return answer_set(context, state, state, refused) | ({"dryRun": {}} if is_dry_run else {})

    async def _statuses(self) -> dict[Id, dict[str, object]]:
        node = await self._applier.node_status()
        stored = await self._stored_revision.beside(node.running_plan)
        return {each.listener_id: _to_wire(each, stored) for each in node.listeners}


def _to_wire(status: ListenerStatus, stored_revision: int) -> dict[str, object]:
    counts = status.counts
    return {
        "name": status.name,
        "state": status.state,
        "reason": status.reason,
        "addresses": [_address_to_wire(address) for address in status.addresses],
        "connections": counts.connections,
        "connectionsPeak": counts.connections_peak,
        "accepted": counts.accepted,
        "refused": dict(counts.refused),
        "proxyRejected": dict(counts.proxy_rejected),
        "ended": dict(counts.ended),
        "tlsHandshakes": sum(counts.tls_handshakes.values()),
        "tlsVersions": dict(counts.tls_handshakes),
        "tlsFailures": sum(counts.tls_failures.values()),
        "tlsFailureReasons": dict(counts.tls_failures),
        "bytesReceived": counts.bytes_received,
        "bytesSent": counts.bytes_sent,
        "acceptPauses": counts.accept_pauses,
        "runningRevision": status.running_revision,
        "storedRevision": stored_revision,
    }


def _address_to_wire(address: AddressStatus) -> dict[str, object]:
    return {
        "address": address.address,
        "workersAccepting": address.workers_accepting,
        "acceptQueues": [
            {"length": queue.length, "limit": queue.limit, "drops": queue.drops} for queue in address.accept_queues
        ],
        "socketOptions": {
            name: {"configured": configured, "kernel": kernel}
            for name, (configured, kernel) in address.socket_options.items()
        },
        "note": address.note,
        "errno": address.errno_name,
        "reason": address.reason,
    }


def _state(statuses: Mapping[Id, Mapping[str, object]]) -> str:
    return hashlib.sha256(msgspec.json.encode(statuses)).hexdigest()[:16]
