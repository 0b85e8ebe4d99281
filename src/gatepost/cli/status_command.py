"""status: what the listeners of the node that answers do now (object type ListenerStatus)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gatepost.cli.client_command import Invocation
from gatepost.cli.completion import complete_listener
from gatepost.cli.failure import CommandError
from gatepost.cli.output import Output
from gatepost.cli.status_watch import watch
from gatepost.config.object_shape import ObjectShape, did_you_mean

if TYPE_CHECKING:
    from gatepost.cli.jmap_client import JmapClient


_INTERVAL = 2.0  # seconds

# It is no configuration, and so in no schema document.
_LISTENER_STATUS = ObjectShape("ListenerStatus", is_singleton=False, properties={})

ListenerName = Annotated[
    str | None,
    typer.Argument(metavar="NAME", help="One listener, with its socket options.", autocompletion=complete_listener),
]


Watch = Annotated[bool, typer.Option("--watch", help="Again and again until Ctrl-C, with rates since the last look.")]
Interval = Annotated[
    float | None,
    typer.Option(
        "--interval",
        min=0.1,
        metavar="SECONDS",
        help=f"Watch, with so long between two looks; {_INTERVAL:g} if not given.",
    ),
]
Count = Annotated[int | None, typer.Option("--count", min=1, help="Watch, and end after so many looks.")]


def status(
    invocation: Invocation,
    name: ListenerName = None,
    is_watching: Watch = False,
    interval: Interval = None,
    count: Count = None,
) -> None:
    """Show the listeners: state, addresses, connections, refusals; with a name, what the kernel has."""
    output = invocation.output
    if is_watching or interval or count:
        watch(output, lambda: _statuses(invocation.client, name), interval=interval or _INTERVAL, count=count)
        return
    found = _statuses(invocation.client, name)
    if name is None:
        output.result(found)
        _print_all(output, found)
    else:
        output.result(found[0])
        _print_one(output, found[0])


def _statuses(client: JmapClient, name: str | None) -> Sequence[Mapping[str, Any]]:
    """All listeners, or the one of that name. Raises CommandError where there is none."""
    listeners = client.get_all(_LISTENER_STATUS)
    if name is None:
        return listeners
    found = [each for each in listeners if str(each.get("name")).casefold() == name.casefold()]
    if not found:
        names = [str(each.get("name")) for each in listeners]
        hint = did_you_mean(name, names) or f"; there are {', '.join(names) or 'none'}"
        raise CommandError(f"there is no listener {name!r} on this node{hint}")
    return found


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
