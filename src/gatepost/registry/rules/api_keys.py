"""An API key may do nothing that its account may not, and nobody gets more by a key than they came with. Pure.

What a key may do is looked at again with every request: an account that loses a role takes it from its keys too.
"""

from __future__ import annotations

from collections.abc import Iterator

from gatepost.registry.account import ACCOUNT
from gatepost.registry.api_key import API_KEY, ApiKey
from gatepost.registry.configuration import ObjectRef, Proposal
from gatepost.registry.permissions import PERMISSIONS, Scope, role_scope
from gatepost.registry.problem import Problem, ProblemType
from gatepost.registry.rules.finding import Finding, Unfit


def excessive_keys(proposal: Proposal) -> Iterator[Finding]:
    """Touched keys that have more than their account, or than the key with which they are made."""
    for key_id in proposal.touched_of(API_KEY):
        key, before = proposal.after.of(API_KEY).get(key_id), proposal.before.of(API_KEY).get(key_id)
        if key is None:
            continue
        problems = list(_beyond_requester(key, proposal.requester.key))
        if before is None or before.permissions != key.permissions:
            problems += _beyond_account(key, proposal)
        for problem in problems:
            yield Unfit(ObjectRef(API_KEY.name, key_id), problem)


def _beyond_account(key: ApiKey, proposal: Proposal) -> Iterator[Problem]:
    account = None if key.account_id is None else proposal.after.of(ACCOUNT).get(key.account_id)
    if account is None:
        return  # a broken link, which is told already
    for name in key.permissions or ():
        permission = PERMISSIONS[name]
        if role_scope(account.role, permission.type_name, permission.verb) is Scope.NONE:
            words = f"{name}: the account {account.name!r} does not have it itself"
            yield Problem("permissions", ProblemType.CONFLICT, words, name)


def _beyond_requester(key: ApiKey, requester: ApiKey | None) -> Iterator[Problem]:
    """A key that is made or changed with a key: otherwise the limits of the second one would be none."""
    if requester is None:
        return
    words = "the API key of this request has less itself"
    if requester.permissions is not None and not set(key.permissions or PERMISSIONS) <= set(requester.permissions):
        yield Problem("permissions", ProblemType.CONFLICT, words)
    if requester.expires_at is not None and (key.expires_at is None or key.expires_at > requester.expires_at):
        yield Problem("expiresAt", ProblemType.CONFLICT, words)
    if requester.allowed_networks is not None and not _are_within(key, requester):
        yield Problem("allowedNetworks", ProblemType.CONFLICT, words)


def _are_within(key: ApiKey, requester: ApiKey) -> bool:
    return key.allowed_networks is not None and all(
        any(network.is_within(allowed) for allowed in requester.allowed_networks or ())
        for network in key.allowed_networks
    )
