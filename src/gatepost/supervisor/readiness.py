"""Telling people and the service manager what runs: the table on standard output, sd_notify(3)."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence

from gatepost.control.messages import BindFailure
from gatepost.plan.plan import ListenerPlan, Plan, ProtocolName

_HEADINGS = ("NAME", "PROTOCOL", "ADDRESS", "TLS", "STATE")


def table_of_listeners(plan: Plan, failures: Sequence[BindFailure]) -> str:
    """One line for each address: name, protocol, address, TLS, state."""
    failed = {(failure.listener_id, failure.address): failure for failure in failures}
    rows = [_HEADINGS]
    for listener in plan.listeners:
        for address in listener.addresses:
            failure = failed.get((listener.id, address))
            state = f"failed: {failure.errno_name} ({failure.text})" if failure else "active"
            rows.append((listener.name, listener.protocol, address, _tls(listener), state))
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _tls(listener: ListenerPlan) -> str:
    if listener.tls is None:
        return "none"
    if listener.is_tls_implicit:
        return "implicit"
    return "none" if listener.protocol is ProtocolName.HTTP else "starttls"


def notify_service_manager(state: str) -> None:
    """Send a state like `READY=1` to the service manager, where there is one."""
    path = os.environ.get("NOTIFY_SOCKET")
    if not path:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        try:
            sock.sendto(state.encode(), "\0" + path[1:] if path.startswith("@") else path)
        except OSError:
            pass  # a service manager that does not listen must not keep us from serving
