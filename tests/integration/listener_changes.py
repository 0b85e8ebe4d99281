"""A value for every property of a listener that can change, and another one, for tests that change each in turn."""

from __future__ import annotations

from typing import Any

BEFORE: dict[str, Any] = {
    "protocol": "imap",
    "overrideProxyTrustedNetworks": {},
    "socketBacklog": 1024,
    "socketNoDelay": True,
    "socketReceiveBufferSize": None,
    "socketReuseAddress": True,
    "socketReusePort": True,
    "socketSendBufferSize": None,
    "socketTosV4": None,
    "socketTtl": None,
    "useTls": True,
    "tlsDisableCipherSuites": {},
    "tlsDisableProtocols": {},
    "tlsIgnoreClientOrder": True,
    "tlsImplicit": False,
    "tlsTimeout": 60000,
    "maxConnections": 8192,
}
AFTER: dict[str, Any] = {
    "protocol": "pop3",
    "overrideProxyTrustedNetworks": {"192.0.2.0/24": True},
    "socketBacklog": 16,
    "socketNoDelay": False,
    "socketReceiveBufferSize": 65536,
    "socketReuseAddress": False,
    "socketReusePort": False,
    "socketSendBufferSize": 65536,
    "socketTosV4": 16,
    "socketTtl": 9,
    "useTls": False,
    "tlsDisableCipherSuites": {"tls13Chacha20Poly1305Sha256": True},
    "tlsDisableProtocols": {"tls12": True},
    "tlsIgnoreClientOrder": False,
    "tlsImplicit": True,
    "tlsTimeout": 5000,
    "maxConnections": 4096,
}
