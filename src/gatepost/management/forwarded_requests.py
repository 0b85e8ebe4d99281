"""ASGI middleware: a request that a trusted HTTP proxy passes on comes from the proxy's client, not from the proxy.

What is behind it sees the client's address and scheme in the scope, and in `scope["state"]["relay"]` by which connection the
request came: for what is about the connection itself (clear text on the last stretch, locking oneself out).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from starlette.requests import HTTPConnection, Request
from starlette.types import ASGIApp, Receive, Scope, Send

from gatepost.management.client import RELAY, Relay, is_tls, peer_of
from gatepost.management.forwarding import ContradictingHeaders, forwarded_client
from gatepost.management.problem_response import HttpProblem, answer_http_problem
from gatepost.plan.plan import Plan
from gatepost.values.ip_mask import IpAddress, IpMask


@dataclass(frozen=True, slots=True)
class ForwardedRequests:
    """`is_blocked` tells whether clients of an address are refused."""

    app: ASGIApp
    running_plan: Callable[[], Plan]
    is_blocked: Callable[[IpAddress], bool]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (trusted := self.running_plan().http_forwarded_networks):
            try:
                scope = self._seen_through(scope, trusted)
            except HttpProblem as problem:
                await (await answer_http_problem(Request(scope), problem))(scope, receive, send)
                return
        await self.app(scope, receive, send)

    def _seen_through(self, scope: Scope, trusted: tuple[str, ...]) -> Scope:
        connection = HTTPConnection(scope)
        peer = peer_of(connection).source_address
        networks = [IpMask.parse(each) for each in trusted]
        try:
            client = forwarded_client(
                peer, connection.headers.getlist, lambda address: any(each.contains(address) for each in networks)
            )
        except ContradictingHeaders:
            raise HttpProblem(400, "Forwarded and X-Forwarded-For name different clients") from None
        if client is None:
            return scope
        if self.is_blocked(client.address):
            raise HttpProblem(403, "clients of this network are not served")
        state = {**scope.get("state", {}), RELAY: Relay(peer, is_tls=is_tls(connection))}
        scheme = "https" if client.is_https else "http"
        return {**scope, "client": (str(client.address), 0), "scheme": scheme, "state": state}
