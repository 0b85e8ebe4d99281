"""All rules between objects, run over one proposal. Called by /set and by the check of plan files. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from gatepost.registry.configuration import Proposal
from gatepost.registry.rules.addresses import unfit_addresses
from gatepost.registry.rules.api_keys import excessive_keys
from gatepost.registry.rules.bind_clashes import bind_clashes
from gatepost.registry.rules.finding import Finding
from gatepost.registry.rules.links import broken_links
from gatepost.registry.rules.listener_count import too_many_addresses, too_many_listeners
from gatepost.registry.rules.lock_out import lock_outs
from gatepost.registry.rules.tls_policy import unusable_tls_policies
from gatepost.registry.rules.unique_names import taken_names

Rule = Callable[[Proposal], Iterator[Finding]]

RULES: tuple[Rule, ...] = (
    taken_names,
    too_many_listeners,
    too_many_addresses,
    bind_clashes,
    unusable_tls_policies,
    lock_outs,
    broken_links,
    unfit_addresses,
    excessive_keys,
)


def findings(proposal: Proposal) -> list[Finding]:
    """Everything that is wrong with the proposal, by rule."""
    return [finding for rule in RULES for finding in rule(proposal)]
