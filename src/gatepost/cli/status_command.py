"""status: what the listeners of the node that answers do now (object type ListenerStatus)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from gatepost.cli.client_command import Invocation
from gatepost.cli.failure import CommandError
from gatepost.cli.output import Output
from gatepost.config.object_shape import did_you_mean

ListenerName = Annotated[str | None, typer.Argument(metavar="NAME", help="One listener, with its socket options.")]


def status(invocation: Invocation, name: ListenerName = None) -> None:
    """Show the listeners: state, addresses, connections, refusals; with a name, what the kernel has."""
    listeners: Sequence[Mapping[str, Any]] = invocation.client.call("x:ListenerStatus/get", {"ids": None}).get(
        "list", ()
    )
    output = invocation.output
    if name is None:
        output.result(listeners)
        _print_all(output, listeners)
        return
    found = next((each for each in listeners if str(each.get("name")).casefold() == name.casefold()), None)
    if found is None:
        names = [str(each.get("name")) for each in listeners]
        hint = did_you_mean(name, names) or f"; there are {', '.join(names) or 'none'}"
        raise CommandError(f"there is no listener {name!r} on this node{hint}")
    output.result(found)
    _print_one(output, found)


def _print_all(output: Output, listeners: Sequence[Mapping[str, Any]]) -> None:
    if not listeners:
        output.line("no listeners on this node")
        return
    titles = ["Name", "State", "Addresses", "Connections", "Accepted", "Refused"]
    output.table(
        titles,
        [
            [
                str(each.get("name")),
                _state(each),
                ", ".join(str(address.get("address")) for address in each.get("addresses") or ()) or "-",
                str(each.get("connections", 0)),
                str(each.get("accepted", 0)),
                str(sum((each.get("refused") or {}).values())),
            ]
            for each in listeners
        ],
    )


def _print_one(output: Output, listener: Mapping[str, Any]) -> None:
    output.pairs(
        [
            ("name", str(listener.get("name"))),
            ("state", _state(listener)),
            ("connections", f"{listener.get('connections', 0)} (peak {listener.get('connectionsPeak', 0)})"),
            ("accepted", str(listener.get("accepted", 0))),
            ("refused", _reasons(listener, "refused")),
            ("ended", _reasons(listener, "ended")),
            ("PROXY rejected", _reasons(listener, "proxyRejected")),
            ("TLS handshakes", _reasons(listener, "tlsVersions")),
            ("TLS failures", _reasons(listener, "tlsFailureReasons")),
            ("octets", f"{listener.get('bytesReceived', 0)} received, {listener.get('bytesSent', 0)} sent"),
            ("accept pauses", str(listener.get("acceptPauses", 0))),
            (
                "revision",
                f"{listener.get('runningRevision', '-')} runs, {listener.get('storedRevision', '-')} is stored",
            ),
        ]
    )
    for address in listener.get("addresses") or ():
        _print_address(output, address)


def _print_address(output: Output, address: Mapping[str, Any]) -> None:
    if address.get("errno"):
        output.line(
            f"\n{address.get('address')}  not bound: {address['errno']} ({address.get('reason')})", style="bold"
        )
        return
    workers = f"{address.get('workersAccepting', 0)} workers accepting"
    output.line(f"\n{address.get('address')}  {workers}, {_queues(address)}", style="bold")
    if address.get("note"):
        output.line(str(address["note"]))
    options = address.get("socketOptions") or {}
    output.table(
        ["Socket option", "Configured", "Kernel"],
        [[name, *_option_cells(option)] for name, option in options.items()],
    )


def _queues(address: Mapping[str, Any]) -> str:
    """A client waits in one of the queues: the fullest one says when the next is dropped."""
    queues = address.get("acceptQueues") or ()
    lengths = " + ".join(f"{queue['length']} of {queue['limit']}" for queue in queues)
    return f"accept queue {lengths or '-'}, {sum(queue['drops'] for queue in queues)} dropped"


def _reasons(listener: Mapping[str, Any], name: str) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in (listener.get(name) or {}).items() if count) or "0"


def _option_cells(option: Mapping[str, Any]) -> list[str]:
    configured = option.get("configured")
    return ["-" if configured is None else str(configured), str(option.get("kernel", "-"))]


def _state(listener: Mapping[str, Any]) -> str:
    state, reason = str(listener.get("state", "unknown")), listener.get("reason")
    return f"{state}: {reason}" if reason else state
