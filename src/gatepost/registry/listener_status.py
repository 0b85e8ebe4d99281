"""ListenerStatus: what a listener of this node does now. Declaration only; the running server makes it when it is asked. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Annotated

import msgspec

from gatepost.registry.declaration import FormSection, ListView, ObjectType, declared_properties
from gatepost.registry.given_out import ListOf, MapOf, NestedType, ObjectOf, server_set
from gatepost.registry.kinds import Choice, Text, UnsignedInt, socket_address_kind


class ListenerState(Enum):
    """What a listener is at, by its wire name."""

    STARTING = "starting"  # bound; no worker accepts there yet
    ACTIVE = "active"
    PAUSED = "paused"  # every worker is out of descriptors or memory
    DRAINING = "draining"  # gone from the configuration, connections are still open
    FAILED = "failed"
    STOPPED = "stopped"  # the server ends


STATE_LABELS = {
    ListenerState.STARTING: "Starting",
    ListenerState.ACTIVE: "Active",
    ListenerState.PAUSED: "Paused: out of descriptors or memory",
    ListenerState.DRAINING: "Draining: connections are still open",
    ListenerState.FAILED: "Failed",
    ListenerState.STOPPED: "Stopped",
}


class AcceptQueue(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The accept queue of one listening socket."""

    length: Annotated[int, server_set(UnsignedInt(), "Length", "Connections that wait to be accepted.", "connections")]
    limit: Annotated[
        int,
        server_set(
            UnsignedInt(),
            "Limit",
            "Connections that may wait: the backlog, or net.core.somaxconn where that is less.",
            "connections",
        ),
    ]
    drops: Annotated[
        int,
        server_set(
            UnsignedInt(), "Drops", "Connections that the kernel has dropped since the socket was made.", "connections"
        ),
    ]


class SocketOption(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One socket option as it was asked for and as it is."""

    configured: Annotated[
        int | None, server_set(UnsignedInt(), "Configured", "The value that was asked for; null: the kernel's own.")
    ] = None
    kernel: Annotated[
        int, server_set(UnsignedInt(), "In the kernel", "The value that getsockopt(2) gives, doubled or clamped by it.")
    ]


ACCEPT_QUEUE = NestedType(
    "AcceptQueue",
    AcceptQueue,
    declared_properties(AcceptQueue),
    "Accept queue",
    "The accept queue of one listening socket.",
)
SOCKET_OPTION = NestedType(
    "SocketOption",
    SocketOption,
    declared_properties(SocketOption),
    "Socket option",
    "A socket option as it was asked for, and as the kernel has it.",
)


class ListenerAddress(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One address of a listener."""

    address: Annotated[str, server_set(socket_address_kind(), "Address", "The address as it is configured.")]
    workers_accepting: Annotated[
        int, server_set(UnsignedInt(), "Workers", "Worker processes that accept connections there.", "workers")
    ]
    accept_queues: Annotated[
        Sequence[AcceptQueue],
        server_set(
            ListOf(ACCEPT_QUEUE),
            "Accept queues",
            "One for each of its sockets. A client waits in one of them, and is dropped when that one is full.",
        ),
    ]
    socket_options: Annotated[
        Mapping[str, SocketOption],
        server_set(
            MapOf(ObjectOf(SOCKET_OPTION)),
            "Socket options",
            "By the property of the listener that sets it, as socketReceiveBufferSize.",
        ),
    ]
    note: Annotated[
        str | None,
        server_set(
            Text(), "Note", "What is other than it was asked for: 0.0.0.0 in place of [::] on a host without IPv6."
        ),
    ] = None
    errno: Annotated[
        str | None, server_set(Text(), "Error", "Why it is not bound: the name of the errno, as EADDRINUSE.")
    ] = None
    reason: Annotated[str | None, server_set(Text(), "Reason", "Why it is not bound, in words.")] = None


LISTENER_ADDRESS = NestedType(
    "ListenerAddress",
    ListenerAddress,
    declared_properties(ListenerAddress),
    "Address",
    "An address of a listener: its sockets, and what the kernel says of them.",
)
_COUNTS = MapOf(UnsignedInt())


class ListenerStatus(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The status of one listener; its id is that of the listener. Counts are sums over all workers since it was made."""

    name: Annotated[str, server_set(Text(), "Name", "The name of the listener.")]
    state: Annotated[
        ListenerState, server_set(Choice(ListenerState, STATE_LABELS), "State", "Whether clients are accepted now.")
    ]
    reason: Annotated[
        str | None,
        server_set(
            Text(), "Reason", "Why it failed, or which workers accept nothing for want of descriptors or memory."
        ),
    ] = None
    connections: Annotated[
        int, server_set(UnsignedInt(), "Connections", "Connections that are open now.", "connections")
    ]
    connections_peak: Annotated[
        int, server_set(UnsignedInt(), "Peak", "The most that were open at the same time.", "connections")
    ]
    accepted: Annotated[
        int,
        server_set(
            UnsignedInt(), "Accepted", "Connections that have passed everything that may refuse one.", "connections"
        ),
    ]
    tls_handshakes: Annotated[int, server_set(UnsignedInt(), "TLS handshakes", "TLS handshakes that were completed.")]
    tls_failures: Annotated[int, server_set(UnsignedInt(), "Failed TLS handshakes", "TLS handshakes that failed.")]
    bytes_received: Annotated[
        int,
        server_set(
            UnsignedInt(format="size"), "Received", "Octets of the protocol from clients, without TLS's own.", "octets"
        ),
    ]
    bytes_sent: Annotated[
        int,
        server_set(
            UnsignedInt(format="size"), "Sent", "Octets of the protocol to clients, without TLS's own.", "octets"
        ),
    ]
    accept_pauses: Annotated[
        int, server_set(UnsignedInt(), "Pauses", "Times that accepting paused for want of descriptors or memory.")
    ]
    running_revision: Annotated[
        int, server_set(UnsignedInt(), "Running revision", "The revision of the configuration that the workers run.")
    ]
    stored_revision: Annotated[
        int,
        server_set(
            UnsignedInt(),
            "Stored revision",
            "The revision that is stored; another than the running one while a change is under way, or was not carried through.",
        ),
    ]
    refused: Annotated[
        Mapping[str, int],
        server_set(
            _COUNTS,
            "Refused",
            "Connections that were refused, by reason: maxConnections, serverMaxConnections, maxConnectionsPerAddress, "
            "blockedNetwork, proxyHeader.",
            "connections",
        ),
    ]
    proxy_rejected: Annotated[
        Mapping[str, int],
        server_set(_COUNTS, "PROXY headers refused", "Those among them without an acceptable PROXY header, by reason."),
    ]
    ended: Annotated[
        Mapping[str, int],
        server_set(
            _COUNTS, "Ended", "Connections that nothing refused and that have ended, by how they did.", "connections"
        ),
    ]
    tls_versions: Annotated[
        Mapping[str, int], server_set(_COUNTS, "TLS versions", "TLS handshakes that were completed, by version.")
    ]
    tls_failure_reasons: Annotated[
        Mapping[str, int], server_set(_COUNTS, "Reasons of failed handshakes", "TLS handshakes that failed, by reason.")
    ]
    addresses: Annotated[
        Sequence[ListenerAddress],
        server_set(ListOf(LISTENER_ADDRESS), "Addresses", "Each of its addresses, bound or not."),
    ]


LISTENER_STATUS = ObjectType(
    name="ListenerStatus",
    struct=ListenerStatus,
    properties=declared_properties(ListenerStatus),
    description="What a listener of this node does now. Made by the server when it is asked; the id is that of the listener.",
    form=(
        FormSection("Status", ("name", "state", "reason", "runningRevision", "storedRevision", "addresses")),
        FormSection("Connections", ("connections", "connectionsPeak", "accepted", "refused", "proxyRejected", "ended")),
        FormSection("TLS", ("tlsHandshakes", "tlsVersions", "tlsFailures", "tlsFailureReasons")),
        FormSection("Traffic", ("bytesReceived", "bytesSent", "acceptPauses")),
    ),
    list_view=ListView(
        title="Status of listeners",
        subtitle="What the listeners of this node do now",
        singular="status",
        plural="statuses",
        label_property="name",
        columns=("name", "state", "connections", "accepted", "bytesReceived", "bytesSent", "reason"),
        filters=("name", "reason"),
    ),
    menu=None,
)
