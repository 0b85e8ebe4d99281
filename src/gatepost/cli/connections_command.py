"""connections: who is connected to the node that answers (object type Connection), and ending single connections."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

from gatepost.cli.client_command import Invocation
from gatepost.cli.completion import complete_listener, complete_protocol
from gatepost.cli.failure import CommandError, refuse_ignored, usage_error
from gatepost.cli.output import Output

_MOST = 1000

Kill = Annotated[
    list[str] | None,
    typer.Option("--kill", metavar="ID", help="Have this client take its leave; may be repeated."),
]
OfListener = Annotated[
    str | None,
    typer.Option("--listener", metavar="NAME", help="Of this listener.", autocompletion=complete_listener),
]
OfSource = Annotated[
    str | None, typer.Option("--source", metavar="NETWORK", help="From this address or network, as 192.0.2.0/24.")
]
OfAccount = Annotated[
    str | None, typer.Option("--account", metavar="NAME", help="Of accounts with this in their name.")
]
OfProtocol = Annotated[
    str | None,
    typer.Option("--protocol", metavar="NAME", help="Of this protocol, as imap.", autocompletion=complete_protocol),
]
Limit = Annotated[
    int | None, typer.Option("--limit", min=1, help=f"Show so many, the oldest first: {_MOST} if not given.")
]

_OLDEST_FIRST = [{"property": "since", "isAscending": True}, {"property": "source", "isAscending": True}]


def connections(
    invocation: Invocation,
    kill: Kill = None,
    listener: OfListener = None,
    source: OfSource = None,
    account: OfAccount = None,
    protocol: OfProtocol = None,
    limit: Limit = None,
) -> None:
    """Show the open connections, or end some of them."""
    conditions = {"listener": listener, "source": source, "account": account, "protocol": protocol}
    if kill:
        refuse_ignored(
            {f"--{name}": value for name, value in (*conditions.items(), ("limit", limit))},
            "chooses what is shown; --kill takes ids, of one connection each",
        )
        _end(invocation, kill)
        return
    filter_ = {name: value for name, value in conditions.items() if value is not None}
    if protocol is not None:
        filter_["protocol"] = _protocol(invocation, protocol)
    wanted = {"filter": filter_ or None, "sort": _OLDEST_FIRST}
    found, total = invocation.client.find("x:Connection", wanted, limit or _MOST)
    invocation.output.result(found)
    _print(invocation.output, found, total)


def _protocol(invocation: Invocation, given: str) -> str:
    """In the spelling of the listeners."""
    known = invocation.client.shapes.find("NetworkListener").properties["protocol"].choices
    for each in known:
        if each.casefold() == given.casefold():
            return each
    raise usage_error(f"--protocol: {given!r} is not one of {', '.join(known)}")


def _print(output: Output, found: Sequence[Mapping[str, Any]], total: int) -> None:
    if not found:
        output.line("no connections")
        return
    titles = ["Id", "Listener", "Source", "Proxy", "Open for", "TLS", "Account", "State", "Received", "Sent"]
    output.table(titles, [_cells(each) for each in found])
    if len(found) < total:
        output.line(f"{len(found)} of {total} connections; narrow the choice, or raise --limit")


def _cells(connection: Mapping[str, Any]) -> list[str]:
    peer = connection.get("peer") if connection.get("proxy") else None
    tls = " ".join(str(connection[name]) for name in ("tlsVersion", "keyExchangeGroup") if connection.get(name))
    return [
        str(connection.get("id")),
        str(connection.get("listener")),
        str(connection.get("source")),
        str(peer or "-"),
        _open_for(str(connection.get("since"))),
        tls or "-",
        str(connection.get("account") or "-"),
        str(connection.get("state")),
        str(connection.get("bytesReceived", 0)),
        str(connection.get("bytesSent", 0)),
    ]


def _open_for(since: str) -> str:
    try:
        began = datetime.strptime(since, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        return since
    return str(max(timedelta(0), timedelta(seconds=int((datetime.now(UTC) - began).total_seconds()))))


def _end(invocation: Invocation, ids: Sequence[str]) -> None:
    answer = invocation.client.call("x:Connection/set", {"destroy": list(ids)})
    invocation.output.result(answer)
    for each in answer.get("destroyed") or ():
        invocation.output.line(f"ended {each}")
    missing = [repr(each) for each in answer.get("notDestroyed") or ()]
    if missing:
        raise CommandError(f"there is no connection {', '.join(missing)}; it may have ended by itself")
