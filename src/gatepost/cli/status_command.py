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
    refused = ", ".join(f"{count} {reason}" for reason, count in (listener.get("refused") or {}).items() if count)
    output.pairs(
        [
            ("name", str(listener.get("name"))),
            ("state", _state(listener)),
            ("connections", f"{listener.get('connections', 0)} (peak {listener.get('connectionsPeak', 0)})"),
            ("accepted", str(listener.get("accepted", 0))),
            ("refused", refused or "0"),
            ("TLS handshakes", f"{listener.get('tlsHandshakes', 0)} ({listener.get('tlsFailures', 0)} failed)"),
            ("running revision", str(listener.get("runningRevision", "-"))),
        ]
    )
    for address in listener.get("addresses") or ():
        _print_address(output, address)


def _print_address(output: Output, address: Mapping[str, Any]) -> None:
    queue = f"accept queue {address.get('acceptQueue', 0)} of {address.get('acceptQueueLimit', 0)}"
    output.line(
        f"\n{address.get('address')}  {address.get('workersAccepting', 0)} workers accepting, {queue}", style="bold"
    )
    if address.get("note"):
        output.line(str(address["note"]))
    options = address.get("socketOptions") or {}
    output.table(
        ["Socket option", "Configured", "Kernel"],
        [[name, *_option_cells(option)] for name, option in options.items()],
    )


def _option_cells(option: Mapping[str, Any]) -> list[str]:
    configured = option.get("configured")
    return ["-" if configured is None else str(configured), str(option.get("kernel", "-"))]


def _state(listener: Mapping[str, Any]) -> str:
    state, reason = str(listener.get("state", "unknown")), listener.get("reason")
    return f"{state}: {reason}" if reason else state
