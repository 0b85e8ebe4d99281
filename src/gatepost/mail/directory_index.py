"""All addresses and login names of a set of Domain and Account objects, ready to be looked up. Pure.

Built by `stored_directory` from what is stored; answers what `directory.Directory` promises. Wrong objects are passed
over: the registry does not let them in, and mail must not stand still because of one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from gatepost.mail.directory import DirectoryAccount, NoSuchRecipient
from gatepost.store.interface import StoredObject
from gatepost.values.ids import Id
from gatepost.values.secret import Secret

_DETAIL_SEPARATOR = "+"  # RFC 5233
_POSTMASTER = "postmaster"


@dataclass(frozen=True, slots=True)
class DirectoryIndex:
    """`by_name` has None where several accounts share a name in different domains."""

    domains: frozenset[str]
    by_address: Mapping[str, DirectoryAccount]
    by_login_name: Mapping[str, DirectoryAccount]
    by_name: Mapping[str, DirectoryAccount | None]
    postmasters: Sequence[DirectoryAccount]  # administrators, for the mail that RFC 5321 section 4.5.1 wants taken

    def recipient(self, address: str) -> DirectoryAccount | NoSuchRecipient:
        """See `directory.Directory.recipient`. `postmaster` needs no domain."""
        local_part, _, domain = address.lower().rpartition("@")
        if not local_part:
            return self._postmaster(None) if domain == _POSTMASTER else NoSuchRecipient.NOT_LOCAL
        if domain not in self.domains:
            return NoSuchRecipient.NOT_LOCAL
        for name in _names_to_try(local_part):
            account = self.by_address.get(f"{name}@{domain}")
            if account is not None:
                return account
        return self._postmaster(domain) if local_part == _POSTMASTER else NoSuchRecipient.UNKNOWN

    def login(self, login_name: str) -> DirectoryAccount | None:
        """See `directory.Directory.login`."""
        name = login_name.lower()
        return self.by_login_name.get(name) or self.by_name.get(name)

    def _postmaster(self, domain: str | None) -> DirectoryAccount | NoSuchRecipient:
        """Somebody called postmaster, or the administrator of that domain; else any administrator."""
        if domain is None:
            addresses = (f"{_POSTMASTER}@{name}" for name in sorted(self.domains))
            nearest = [self.by_address[address] for address in addresses if address in self.by_address]
        else:
            nearest = [account for account in self.postmasters if account.login_name.endswith(f"@{domain}")]
        return next(iter((*nearest, *self.postmasters)), NoSuchRecipient.UNKNOWN)


def build_index(domains: Sequence[StoredObject], accounts: Sequence[StoredObject]) -> DirectoryIndex:
    """Where two accounts claim the same address or login name, the one that was created first has it."""
    domain_names = {domain.id: name for domain in domains if (name := _name(domain)) is not None}
    hosted = frozenset(domain_names.values())
    by_address: dict[str, DirectoryAccount] = {}
    by_login_name: dict[str, DirectoryAccount] = {}
    by_name: dict[str, DirectoryAccount | None] = {}
    for stored in accounts:
        account = _account(stored, domain_names, hosted)
        if account is None:
            continue
        by_login_name.setdefault(account.login_name, account)
        name = account.login_name.rpartition("@")[0]
        if name:
            by_name[name] = None if name in by_name else account
        for address in account.addresses:
            by_address.setdefault(address, account)
    administrators = [account for account in by_login_name.values() if account.role == "admin"]
    return DirectoryIndex(hosted, by_address, by_login_name, by_name, administrators)


def _account(stored: StoredObject, domain_names: Mapping[Id, str], hosted: frozenset[str]) -> DirectoryAccount | None:
    """None for an account without a name, or of a domain that is gone."""
    value = stored.value
    name = _name(stored)
    if name is None:
        return None
    domain_id = value.get("domainId")
    quota = value.get("quota")
    login_name = name
    addresses = {alias for alias in _aliases(value.get("aliases")) if alias.rpartition("@")[2] in hosted}
    if domain_id is not None:
        domain = domain_names.get(Id(str(domain_id)))
        if domain is None:
            return None
        login_name = f"{name}@{domain}"
        addresses.add(login_name)
    return DirectoryAccount(
        id=stored.id,
        login_name=login_name,
        addresses=frozenset(addresses),
        role=str(value.get("role") or "user"),
        password_hash=Secret(str(value.get("password") or "")),
        quota=quota if isinstance(quota, int) else None,
    )


def _name(stored: StoredObject) -> str | None:
    name = stored.value.get("name")
    return name.lower() if isinstance(name, str) and name else None


def _aliases(value: object) -> Iterator[str]:
    """A list of addresses, or the wire form of a set: `{"sales@example.org": true}`."""
    match value:
        case Mapping():
            yield from (str(address).lower() for address, is_member in value.items() if is_member)
        case list() | tuple():
            yield from (str(address).lower() for address in value)


def _names_to_try(local_part: str) -> Iterator[str]:
    """The whole local part, then what stands before each `+`, the longest first."""
    yield local_part
    end = len(local_part)
    while (end := local_part.rfind(_DETAIL_SEPARATOR, 0, end)) > 0:
        yield local_part[:end]
