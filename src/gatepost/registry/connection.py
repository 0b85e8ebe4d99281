"""Connection: one open connection of this node. Declaration only; the workers are asked for theirs when somebody wants to know.
Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec

from gatepost.registry.declaration import FormSection, ListView, ObjectType, declared_properties
from gatepost.registry.given_out import NestedType, ObjectOf, server_set
from gatepost.registry.kinds import Choice, ObjectId, Text, UnsignedInt, UtcDateTime, socket_address_kind
from gatepost.registry.network_listener import PROTOCOL_LABELS, NetworkListenerProtocol
from gatepost.values.ids import Id


class ProxyHeader(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What a PROXY protocol header said besides the addresses."""

    version: Annotated[int, server_set(UnsignedInt(1, 2), "Version", "The version of the header, 1 or 2.")]
    command: Annotated[str, server_set(Text(), "Command", "PROXY, or LOCAL: the proxy speaks for itself.")]
    authority: Annotated[
        str | None,
        server_set(Text(), "Authority", "The host name that the client asked the proxy for (PP2_TYPE_AUTHORITY)."),
    ] = None
    unique_id: Annotated[
        str | None,
        server_set(Text(), "Unique id", "The proxy's id of the connection, in hexadecimal (PP2_TYPE_UNIQUE_ID)."),
    ] = None
    alpn: Annotated[
        str | None, server_set(Text(), "ALPN", "The protocol that client and proxy agreed on (PP2_TYPE_ALPN).")
    ] = None
    tls_version: Annotated[
        str | None, server_set(Text(), "TLS version", "Of TLS between client and proxy (PP2_SUBTYPE_SSL_VERSION).")
    ] = None
    cipher_suite: Annotated[
        str | None, server_set(Text(), "Cipher suite", "Of TLS between client and proxy (PP2_SUBTYPE_SSL_CIPHER).")
    ] = None
    certificate_name: Annotated[
        str | None,
        server_set(Text(), "Certificate name", "The common name of the client's certificate (PP2_SUBTYPE_SSL_CN)."),
    ] = None


PROXY_HEADER = NestedType(
    "ProxyHeader",
    ProxyHeader,
    declared_properties(ProxyHeader),
    "PROXY header",
    "What the PROXY protocol header said besides the addresses.",
)


class Connection(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One open connection."""

    listener_id: Annotated[
        Id, server_set(ObjectId("NetworkListener"), "Listener id", "The listener that it came through.")
    ]
    listener: Annotated[str, server_set(Text(), "Listener", "The name of that listener.")]
    protocol: Annotated[
        NetworkListenerProtocol,
        server_set(Choice(NetworkListenerProtocol, PROTOCOL_LABELS), "Protocol", "What is spoken."),
    ]
    source: Annotated[
        str,
        server_set(
            socket_address_kind(), "Source", "The client: of the PROXY header, where there was one, else the peer."
        ),
    ]
    destination: Annotated[
        str,
        server_set(
            socket_address_kind(),
            "Destination",
            "Where the client connected to: of the PROXY header, where there was one.",
        ),
    ]
    peer: Annotated[
        str, server_set(socket_address_kind(), "Peer", "The kernel's other end: the proxy, where there is one.")
    ]
    since: Annotated[datetime, server_set(UtcDateTime(), "Since", "When it was accepted, in UTC.")]
    state: Annotated[str, server_set(Text(), "State", "Where the conversation is, in the words of the protocol.")]
    tls_version: Annotated[str | None, server_set(Text(), "TLS version", "As TLSv1.3; null in clear.")] = None
    cipher_suite: Annotated[str | None, server_set(Text(), "Cipher suite", "Its name; null in clear.")] = None
    key_exchange_group: Annotated[
        str | None, server_set(Text(), "Key exchange group", "As X25519MLKEM768; null in clear.")
    ] = None
    server_name: Annotated[
        str | None, server_set(Text(), "Server name", "The name that the client asked for in its handshake (SNI).")
    ] = None
    proxy: Annotated[
        ProxyHeader | None,
        server_set(
            ObjectOf(PROXY_HEADER), "PROXY header", "What it said besides the addresses; null where there was none."
        ),
    ] = None
    account_id: Annotated[
        Id | None, server_set(ObjectId("Account"), "Account id", "Who is logged in; null for nobody.")
    ] = None
    account: Annotated[str | None, server_set(Text(), "Account", "The login name of that account.")] = None
    bytes_received: Annotated[
        int, server_set(UnsignedInt(format="size"), "Received", "Octets from the client, without TLS's own.", "octets")
    ]
    bytes_sent: Annotated[
        int, server_set(UnsignedInt(format="size"), "Sent", "Octets to the client, without TLS's own.", "octets")
    ]
    worker: Annotated[int, server_set(UnsignedInt(), "Worker", "The process id of the worker that serves it.")]


CONNECTION = ObjectType(
    name="Connection",
    struct=Connection,
    properties=declared_properties(Connection),
    description="An open connection of this node. Made by clients; destroying it has the client take its leave.",
    form=(
        FormSection(
            "Connection",
            ("listener", "listenerId", "protocol", "state", "since", "bytesReceived", "bytesSent", "worker"),
        ),
        FormSection("Addresses", ("source", "destination", "peer", "proxy")),
        FormSection("TLS", ("tlsVersion", "cipherSuite", "keyExchangeGroup", "serverName")),
        FormSection("Who", ("account", "accountId")),
    ),
    list_view=ListView(
        title="Connections",
        subtitle="Who is connected to this node now",
        singular="connection",
        plural="connections",
        label_property="source",
        columns=(
            "listener",
            "source",
            "peer",
            "since",
            "tlsVersion",
            "keyExchangeGroup",
            "account",
            "state",
            "bytesReceived",
            "bytesSent",
        ),
        filters=("listener", "source", "account"),
    ),
    menu=None,
)
