"""Which pair each certificate that is kept in files is served with: what its files hold, or the last that was good. Pure.

Called by whoever derives a plan: /set, the reconciliation after a file has changed, the boot process.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

from gatepost.plan.plan import CertificatePlan
from gatepost.registry.certificate import Certificate
from gatepost.registry.certificate_pair import PairError, pair_in_files
from gatepost.registry.file_path import FileTexts
from gatepost.values.ids import Id


@dataclass(frozen=True, slots=True)
class NamedPair:
    """A chain and its key in PEM form, and the names that it is for."""

    chain_pem: str
    private_key_pem: str = field(repr=False)
    names: tuple[str, ...]


NO_PAIRS: Mapping[Id, NamedPair] = MappingProxyType({})


def files_of(certificates: Iterable[Certificate]) -> set[str]:
    """All paths that certificates are read from."""
    return {path for certificate in certificates for path in certificate.files or ()}


def pairs_in_use(
    certificates: Mapping[Id, Certificate], texts: FileTexts, running: Iterable[CertificatePlan], now: datetime
) -> dict[Id, NamedPair]:
    """The pair of each certificate in files. Where the files were not read, or cannot be used, that is what runs now; a
    certificate that has neither is left out. What has expired takes the place of nothing that runs."""
    running_by_id = {each.id: NamedPair(each.chain_pem, each.private_key_pem, each.names) for each in running}
    pairs: dict[Id, NamedPair] = {}
    for certificate_id, certificate in certificates.items():
        if certificate.files is None:
            continue
        last_good = running_by_id.get(certificate_id)
        try:
            pair, facts = pair_in_files(*certificate.files, texts)
        except PairError:
            chosen = last_good
        else:
            in_files = NamedPair(pair.chain_pem, pair.private_key_pem, facts.names)
            chosen = in_files if facts.not_valid_after > now or last_good is None else last_good
        if chosen is not None:
            pairs[certificate_id] = chosen
    return pairs
