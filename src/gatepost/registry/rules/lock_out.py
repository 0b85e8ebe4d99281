"""Nobody saws off the branch that they sit on by accident: the http listener through which a change arrives, the last
http listener, and the last administrator. The first two may be given up when the request says so explicitly. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator

from gatepost.registry.account import ACCOUNT, Role
from gatepost.registry.configuration import Configuration, ObjectRef, Proposal
from gatepost.registry.network_listener import NETWORK_LISTENER, NetworkListener, NetworkListenerProtocol
from gatepost.registry.problem import Problem, ProblemType
from gatepost.registry.rules.finding import Finding, Forbidden, Unfit
from gatepost.values.ip_mask import IpAddress

_INSISTING = "repeat the request with allowLockOut: true if that is meant"


def lock_outs(proposal: Proposal) -> Iterator[Finding]:
    """What would take the management API away from whom is using it."""
    yield from _last_administrator(proposal)
    if not proposal.may_lock_out:
        for ref, property_name, words in would_lock_out(proposal):
            description = f"{words}; {_INSISTING}"
            if property_name is None:
                yield Forbidden(ref, description)
            else:
                yield Unfit(ref, Problem(property_name, ProblemType.CONFLICT, description))


def would_lock_out(proposal: Proposal) -> Iterator[tuple[ObjectRef, str | None, str]]:
    """Which touched listener would take the API away, by which property (None: by being destroyed), in which words."""
    was_there = _has_http(proposal.before)
    for listener_id in proposal.touched_of(NETWORK_LISTENER):
        ref = ObjectRef(NETWORK_LISTENER.name, listener_id)
        before, after = proposal.before.listeners.get(listener_id), proposal.after.listeners.get(listener_id)
        if before is None or before.protocol is not NetworkListenerProtocol.HTTP:
            continue
        if listener_id == proposal.request_listener_id:
            if (broken := _broken_by(before, after, proposal.source_address)) is not None:
                yield ref, *broken
        elif was_there and not _has_http(proposal.after):
            words = "this is the last http listener: without one the server cannot be managed"
            yield ref, None if after is None else "protocol", words


def _has_http(configuration: Configuration) -> bool:
    return any(each.protocol is NetworkListenerProtocol.HTTP for each in configuration.listeners.values())


def _broken_by(
    before: NetworkListener, after: NetworkListener | None, source_address: IpAddress | None
) -> tuple[str | None, str] | None:
    if after is None:
        return None, "this request comes through that listener"
    if after.protocol is not before.protocol:
        return "protocol", "this request comes through that listener, and needs http"
    if after.tls_implicit != before.tls_implicit:
        return "tlsImplicit", "this request comes through that listener, and its URL would change"
    if not set(before.bind) & set(after.bind):
        return "bind", "this request comes through that listener, and none of its addresses would be kept"
    added = set(after.override_proxy_trusted_networks) - set(before.override_proxy_trusted_networks)
    if source_address is not None and any(network.contains(source_address) for network in added):
        words = (
            f"this request comes through that listener from {source_address}, which would have to send a PROXY header"
        )
        return "overrideProxyTrustedNetworks", words
    return None


def _last_administrator(proposal: Proposal) -> Iterator[Finding]:
    if not _administrators(proposal.before) or _administrators(proposal.after):
        return
    for account_id in proposal.touched_of(ACCOUNT):
        ref = ObjectRef(ACCOUNT.name, account_id)
        words = "this is the last administrator: give another account the role admin first"
        if account_id not in proposal.after.of(ACCOUNT):
            yield Forbidden(ref, words)
        else:
            yield Unfit(ref, Problem("role", ProblemType.CONFLICT, words))


def _administrators(configuration: Configuration) -> bool:
    return any(account.role is Role.ADMIN for account in configuration.of(ACCOUNT).values())
