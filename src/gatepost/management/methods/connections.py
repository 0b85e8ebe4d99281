"""x:Connection/get, /query and /set: the open connections of this node. They are asked of all workers when somebody wants to
know; nothing is kept of them. Destroying one has its client take its leave in the words of the protocol."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any

from gatepost.control.connection_report import ConnectionReport, ProxyFacts
from gatepost.management.access import demand
from gatepost.management.applying import ApplyError
from gatepost.management.jmap.arguments import Arguments
from gatepost.management.jmap.engine import MethodContext
from gatepost.management.jmap.failure import MethodError, invalid_arguments
from gatepost.management.methods.address_filter import socket_address_test
from gatepost.management.methods.filter import Predicate, ValueTest
from gatepost.management.methods.get import answer_get, read_get
from gatepost.management.methods.plain_set import all_refused, answer_set, read_plain_set, refused_or_missing
from gatepost.management.methods.query import answer_query, read_selection, read_window
from gatepost.management.methods.set_error import NOT_FOUND, SetError
from gatepost.management.methods.sort import sorted_ids
from gatepost.management.methods.turns import Turns
from gatepost.management.open_connections import OpenConnections
from gatepost.registry.connection import CONNECTION
from gatepost.registry.permissions import Verb
from gatepost.values.ids import Id
from gatepost.values.ip_mask import IpMask
from gatepost.values.socket_address import SocketAddress

_READ_ONLY = SetError("forbidden", "connections are made by clients; they can only be destroyed")


class ConnectionMethods:
    """The three methods."""

    def __init__(self, connections: OpenConnections) -> None:
        self._connections = connections

    async def get(self, values: Mapping[str, Any], context: MethodContext) -> dict[str, Any]:
        """RFC 8620 section 5.1."""
        demand(context.caller, CONNECTION.name, Verb.GET)
        wanted_ids, properties = read_get(values, context, CONNECTION.properties)
        found = await self._found(wanted_ids)
        return answer_get(context, _state(), wanted_ids, properties, found)

    async def query(self, values: Mapping[str, Any], context: MethodContext) -> dict[str, Any]:
        """RFC 8620 section 5.5. A condition on `source` is an address, with or without a port, or a network."""
        demand(context.caller, CONNECTION.name, Verb.QUERY)
        arguments = Arguments(values)
        arguments.account(context.caller.account_id)
        selection = read_selection(arguments, CONNECTION, names=("listener",), value_tests={"source": _from})
        window = read_window(arguments)
        arguments.finish()
        found = await self._found(None, selection.matches, selection.conditions)
        ids = await sorted_ids(found, selection.comparators, Turns())
        return answer_query(context, _state(), ids, window, can_calculate_changes=False)

    async def set(self, values: Mapping[str, Any], context: MethodContext) -> dict[str, Any]:
        """RFC 8620 section 5.3: `destroy` alone does something. Answered when every worker has told its clients; a client
        that does not go is cut off ten seconds later."""
        wanted, is_dry_run = read_plain_set(CONNECTION.name, values, context)
        if wanted.if_in_state is not None:
            raise MethodError("stateMismatch", "connections come and go: no state is that of now")
        destroys = wanted.destroys
        updated = await self._found(list(wanted.updates)) if wanted.updates else {}
        ended = await self._found(destroys, is_to_end=not is_dry_run) if destroys else {}
        outcomes = {
            "destroyed": [each for each in destroys if each in ended],
            "notCreated": all_refused(wanted.creates, _READ_ONLY),
            "notUpdated": refused_or_missing(wanted.updates, updated, _READ_ONLY),
            "notDestroyed": all_refused([each for each in destroys if each not in ended], NOT_FOUND),
        }
        report = {each: {"steps": [_ending(wire)], "warnings": []} for each, wire in ended.items()}
        return answer_set(context, state := _state(), state, outcomes) | ({"dryRun": report} if is_dry_run else {})

    async def _found(
        self,
        ids: Collection[str] | None,
        matches: Predicate = lambda _: True,
        conditions: int = 0,
        *,
        is_to_end: bool = False,
    ) -> dict[Id, dict[str, object]]:
        """In wire form. Others have their turn on the loop while there are many to look at."""
        turns, found = Turns(), dict[Id, dict[str, object]]()
        try:
            async for reports in self._connections.reports(ids, is_to_end=is_to_end):
                for report in reports:
                    wire = _to_wire(report)
                    if matches(wire):
                        found[Id(report.id)] = wire
                    await turns.spend(conditions)
                await asyncio.sleep(0)
        except ApplyError as error:
            words = f"some of them may have been told to leave: {error}" if is_to_end else str(error)
            raise MethodError("serverPartialFail" if is_to_end else "serverUnavailable", words) from None
        return found


def _ending(wire: Mapping[str, object]) -> dict[str, object]:
    words = f"tell {wire['source']} to leave, and close the connection"
    return {"kind": "end", "description": words, "listener": wire["listener"]}


def _to_wire(report: ConnectionReport) -> dict[str, object]:
    return {
        "listenerId": report.listener_id,
        "listener": report.listener_name,
        "protocol": report.protocol,
        "source": report.source,
        "destination": report.destination,
        "peer": report.peer,
        "since": datetime.fromtimestamp(int(report.since), UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "state": report.state,
        "tlsVersion": report.tls_version,
        "cipherSuite": report.cipher_suite,
        "keyExchangeGroup": report.key_exchange_group,
        "serverName": report.server_name,
        "proxy": None if report.proxy is None else _proxy_to_wire(report.proxy),
        "accountId": report.account_id,
        "account": report.login_name,
        "bytesReceived": report.bytes_received,
        "bytesSent": report.bytes_sent,
        "worker": report.worker,
    }


def _proxy_to_wire(proxy: ProxyFacts) -> dict[str, object]:
    return {
        "version": proxy.version,
        "command": proxy.command,
        "authority": proxy.authority,
        "uniqueId": proxy.unique_id,
        "alpn": proxy.alpn,
        "tlsVersion": proxy.tls_version,
        "cipherSuite": proxy.tls_cipher,
        "certificateName": proxy.certificate_name,
    }


def _from(wanted: object) -> ValueTest:
    """Whoever names an address or a network that there cannot be hears so, and not that nobody comes from there."""
    if not isinstance(wanted, str):
        raise invalid_arguments("the condition on source must be an address or a network")
    try:
        return socket_address_test(str(SocketAddress.parse(wanted)))
    except ValueError:
        pass
    try:
        network = IpMask.parse(wanted)
    except ValueError as error:
        raise invalid_arguments(f"source: {error}") from None
    return lambda source: network.contains(ip_address(str(source).rpartition(":")[0].strip("[]")))


def _state() -> str:
    """Connections change without anybody's doing, so no two answers are known to be of the same state."""
    return secrets.token_hex(8)
