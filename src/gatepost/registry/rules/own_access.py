"""Nobody takes the own way in away by accident: the own account and its role, the API key of the request, and signing in over
unencrypted HTTP where that is how the request came. Part of the lock-out guard. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator

from gatepost.registry.account import ACCOUNT, Role
from gatepost.registry.api_key import API_KEY
from gatepost.registry.configuration import ObjectRef, Proposal
from gatepost.registry.system_settings import SYSTEM_SETTINGS

Loss = tuple[ObjectRef, str | None, str]  # which object, by which property (None: by being destroyed), in which words


def lost_access(proposal: Proposal) -> Iterator[Loss]:
    """What would keep who makes the request from making another one like it."""
    yield from _by_own_account(proposal)
    yield from _by_own_key(proposal)
    yield from _by_settings(proposal)


def _by_own_account(proposal: Proposal) -> Iterator[Loss]:
    account_id = proposal.requester.account_id
    if account_id is None or account_id not in proposal.touched_of(ACCOUNT):
        return
    ref = ObjectRef(ACCOUNT.name, account_id)
    before, after = proposal.before.of(ACCOUNT).get(account_id), proposal.after.of(ACCOUNT).get(account_id)
    if after is None:
        yield ref, None, "this request is made with that account"
    elif before is not None and before.role is Role.ADMIN and after.role is not Role.ADMIN:
        yield ref, "role", "this request is made with that account, which could not take it back"


def _by_own_key(proposal: Proposal) -> Iterator[Loss]:
    key_id, client = proposal.requester.key_id, proposal.requester.way.client_address
    if key_id is None or key_id not in proposal.touched_of(API_KEY):
        return
    ref, key = ObjectRef(API_KEY.name, key_id), proposal.after.of(API_KEY).get(key_id)
    if key is None:
        yield ref, None, "this request is made with that key"
        return
    if key.expires_at is not None and key.expires_at <= proposal.now:
        yield ref, "expiresAt", "this request is made with that key, which would be over"
    networks = key.allowed_networks
    if networks is not None and client is not None and not any(each.contains(client) for each in networks):
        yield ref, "allowedNetworks", f"this request is made with that key from {client}, which is in none of them"


def _by_settings(proposal: Proposal) -> Iterator[Loss]:
    if not proposal.requester.way.is_clear or not proposal.before.settings.allow_clear_http_login:
        return
    for settings_id in proposal.touched_of(SYSTEM_SETTINGS):
        if not proposal.after.settings.allow_clear_http_login:
            words = "this request came over unencrypted HTTP from another machine, where nobody could sign in any more"
            yield ObjectRef(SYSTEM_SETTINGS.name, settings_id), "allowClearHttpLogin", words
