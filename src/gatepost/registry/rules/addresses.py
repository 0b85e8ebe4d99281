"""A mail address leads to one account, and its domain is one of ours. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from gatepost.registry.account import ACCOUNT, Account
from gatepost.registry.configuration import Configuration, ObjectRef, Proposal
from gatepost.registry.domain import DOMAIN
from gatepost.registry.problem import Problem, ProblemType
from gatepost.registry.rules.finding import Finding, Linked, Unfit
from gatepost.values.ids import Id


def unfit_addresses(proposal: Proposal) -> Iterator[Finding]:
    """Accounts without a domain, aliases in foreign domains, addresses that two accounts have."""
    touched = proposal.touched_of(ACCOUNT)
    if touched:
        yield from _without_domain(proposal, touched)
        yield from _foreign_aliases(proposal, touched)
        yield from _shared_addresses(proposal)
    for domain_id in proposal.touched_of(DOMAIN):
        if domain_id not in proposal.after.of(DOMAIN):
            yield from _domain_of_aliases(proposal, domain_id)


def addresses_of(account: Account, configuration: Configuration) -> list[str]:
    """All addresses of an account, lower-case, its own first."""
    domain = configuration.of(DOMAIN).get(account.domain_id) if account.domain_id else None
    own = [f"{account.name}@{domain.name}"] if domain is not None else []
    return own + [alias for alias in account.aliases if alias not in own]


def _without_domain(proposal: Proposal, touched: list[Id]) -> Iterator[Finding]:
    for account_id in touched:
        before, after = proposal.before.of(ACCOUNT).get(account_id), proposal.after.of(ACCOUNT).get(account_id)
        if after is None or after.domain_id is not None:
            continue
        if before is None or before.domain_id is not None:
            words = "must be given: only the built-in administrator has no domain"
            yield _unfit(account_id, Problem("domainId", ProblemType.REQUIRED, words))


def _foreign_aliases(proposal: Proposal, touched: list[Id]) -> Iterator[Finding]:
    domains = {domain.name for domain in proposal.after.of(DOMAIN).values()}
    for account_id in touched:
        account = proposal.after.of(ACCOUNT).get(account_id)
        for alias in account.aliases if account is not None else ():
            domain = alias.rpartition("@")[2]
            if domain not in domains:
                words = f"{alias}: {domain!r} is not a domain of this server; create it first"
                yield _unfit(account_id, Problem("aliases", ProblemType.INVALID, words, alias))


def _shared_addresses(proposal: Proposal) -> Iterator[Finding]:
    holders: dict[str, Id] = {}
    accounts = proposal.after.of(ACCOUNT)
    for account_id, account in accounts.items():
        for address in addresses_of(account, proposal.after):
            holder = holders.setdefault(address, account_id)
            if holder == account_id:
                continue
            blamed = proposal.later_of(ObjectRef(ACCOUNT.name, holder), ObjectRef(ACCOUNT.name, account_id))
            if blamed is not None:
                other = accounts[account_id if blamed.id == holder else holder]
                words = f"{address} leads to the account {other.name!r} already"
                is_alias = address in accounts[blamed.id].aliases
                yield Unfit(blamed, Problem("aliases" if is_alias else "name", ProblemType.CONFLICT, words, address))


def _domain_of_aliases(proposal: Proposal, domain_id: Id) -> Iterator[Finding]:
    gone = proposal.before.of(DOMAIN).get(domain_id)
    if gone is None:
        return
    linked = tuple(
        ObjectRef(ACCOUNT.name, account_id)
        for account_id, account in proposal.after.of(ACCOUNT).items()
        if any(alias.endswith(f"@{gone.name}") for alias in account.aliases)
    )
    if linked:
        yield Linked(ObjectRef(DOMAIN.name, domain_id), linked, "accounts have aliases in it: remove those first")


def _unfit(account_id: Id, problem: Problem) -> Finding:
    return Unfit(ObjectRef(ACCOUNT.name, account_id), problem)
