"""Nobody saws off the branch that they sit on by accident: the http listener through which a change arrives, the last
http listener, the own address, what `own_access` has, and the last administrator. All but the last may be given up when the
request says so explicitly. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from gatepost.registry.account import ACCOUNT, Role
from gatepost.registry.configuration import Configuration, ObjectRef, Proposal
from gatepost.registry.ip_network import ALLOWED_IP, BLOCKED_IP, AllowedIp, BlockedIp
from gatepost.registry.network_listener import NETWORK_LISTENER, NetworkListener, NetworkListenerProtocol
from gatepost.registry.problem import Problem, ProblemType
from gatepost.registry.requester import RequestWay
from gatepost.registry.rules.finding import Finding, Forbidden, Unfit
from gatepost.registry.rules.own_access import Loss, lost_access
from gatepost.registry.system_settings import SYSTEM_SETTINGS
from gatepost.registry.tls import TlsVersion
from gatepost.values.ids import Id
from gatepost.values.ip_mask import IpAddress, IpMask
from gatepost.values.socket_address import SocketAddress

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


def would_lock_out(proposal: Proposal) -> Iterator[Loss]:
    """Which touched object would take the API away, by which property (None: by being destroyed), in which words."""
    yield from _locked_out_by_listeners(proposal)
    yield from _locked_out_by_settings(proposal)
    yield from _locked_out_by_blocks(proposal)
    yield from lost_access(proposal)


def _locked_out_by_listeners(proposal: Proposal) -> Iterator[Loss]:
    was_there, way = _has_http(proposal.before), proposal.requester.way
    for listener_id in proposal.touched_of(NETWORK_LISTENER):
        ref = ObjectRef(NETWORK_LISTENER.name, listener_id)
        before, after = proposal.before.listeners.get(listener_id), proposal.after.listeners.get(listener_id)
        if before is None or before.protocol is not NetworkListenerProtocol.HTTP:
            continue
        if listener_id == way.listener_id:
            if (broken := _broken_by(before, after, way)) is not None:
                yield ref, *broken
            elif (words := _proxied(proposal, before, after)) is not None:
                yield ref, "overrideProxyTrustedNetworks", words
        elif was_there and not _has_http(proposal.after):
            words = "this is the last http listener: without one the server cannot be managed"
            yield ref, None if after is None else "protocol", words


def _locked_out_by_settings(proposal: Proposal) -> Iterator[Loss]:
    listener_id = proposal.requester.way.listener_id
    if listener_id is None or listener_id in proposal.touched_of(NETWORK_LISTENER):
        return
    listener = proposal.after.listeners.get(listener_id)
    words = _proxied(proposal, listener, listener)
    for settings_id in proposal.touched_of(SYSTEM_SETTINGS):
        if words is not None:
            yield ObjectRef(SYSTEM_SETTINGS.name, settings_id), "proxyTrustedNetworks", words


def _locked_out_by_blocks(proposal: Proposal) -> Iterator[Loss]:
    way = proposal.requester.way
    for source in {way.source_address, way.client_address}:
        if source is None:
            continue
        if _is_blocked(proposal.after, source, proposal.now) and not _is_blocked(proposal.before, source, proposal.now):
            yield from _blocked_by(proposal, source)


def _blocked_by(proposal: Proposal, source: IpAddress) -> Iterator[Loss]:
    words = f"this request comes from {source}, which could not connect any more"
    for blocked_id in proposal.touched_of(BLOCKED_IP):
        blocked = proposal.after.of(BLOCKED_IP).get(blocked_id)
        if blocked is not None and blocked.network.contains(source):
            yield ObjectRef(BLOCKED_IP.name, blocked_id), "network", words
    for allowed_id in proposal.touched_of(ALLOWED_IP):
        before = proposal.before.of(ALLOWED_IP).get(allowed_id)
        if before is not None and before.network.contains(source):
            is_gone = proposal.after.of(ALLOWED_IP).get(allowed_id) is None
            yield ObjectRef(ALLOWED_IP.name, allowed_id), None if is_gone else "network", words


def _is_blocked(configuration: Configuration, source: IpAddress, now: datetime) -> bool:
    return _has(configuration.of(BLOCKED_IP), source, now) and not _has(configuration.of(ALLOWED_IP), source, now)


def _has(networks: Mapping[Id, BlockedIp] | Mapping[Id, AllowedIp], source: IpAddress, now: datetime) -> bool:
    return any(
        each.network.contains(source) for each in networks.values() if each.expires_at is None or each.expires_at > now
    )


def _proxied(proposal: Proposal, before: NetworkListener | None, after: NetworkListener | None) -> str | None:
    """What is wrong when who makes the request would from now on be taken for a proxy, or its proxy for a client."""
    source, proxy = proposal.requester.way.source_address, proposal.requester.way.proxy_address
    if before is None or after is None:
        return None
    was, will_be = _trusted(before, proposal.before), _trusted(after, proposal.after)
    if proxy is not None:
        if _is_in(proxy, will_be) or not _is_in(proxy, was):
            return None
        return f"this request comes by the proxy {proxy}, whose PROXY header the listener {after.name!r} would not understand"
    if source is None or _is_in(source, was) or not _is_in(source, will_be):
        return None
    return f"this request comes from {source}, which would have to send a PROXY header on the listener {after.name!r}"


def _trusted(listener: NetworkListener, configuration: Configuration) -> tuple[IpMask, ...]:
    return listener.override_proxy_trusted_networks or configuration.settings.proxy_trusted_networks


def _is_in(address: IpAddress, networks: tuple[IpMask, ...]) -> bool:
    return any(network.contains(address) for network in networks)


def _has_http(configuration: Configuration) -> bool:
    return any(each.protocol is NetworkListenerProtocol.HTTP for each in configuration.listeners.values())


def _broken_by(
    before: NetworkListener, after: NetworkListener | None, way: RequestWay
) -> tuple[str | None, str] | None:
    if after is None:
        return None, "this request comes through that listener"
    if after.protocol is not before.protocol:
        return "protocol", "this request comes through that listener, and needs http"
    if after.tls_implicit != before.tls_implicit:
        return "tlsImplicit", "this request comes through that listener, and its URL would change"
    if way.tls_version is TlsVersion.TLS12 and _loses_tls12(before, after):
        words = "this request came by TLS 1.2, which that listener would not speak any more, and its client may know no newer one"
        return "tlsDisableProtocols", words
    if way.destination is not None and _listens_at(before, way.destination):
        words = f"this request came to {way.destination}, where that listener would not be any more"
        return None if _listens_at(after, way.destination) else ("bind", words)
    if not set(before.bind) & set(after.bind):
        return "bind", "this request comes through that listener, and none of its addresses would be kept"
    return None


def _loses_tls12(before: NetworkListener, after: NetworkListener) -> bool:
    """Who has come by TLS 1.3 knows the older version as well, so nobody is locked out by losing the newer one."""
    return TlsVersion.TLS12 in set(after.tls_disable_protocols) - set(before.tls_disable_protocols)


def _listens_at(listener: NetworkListener, destination: SocketAddress) -> bool:
    return any(address.clashes_with(destination) for address in listener.bind)


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
