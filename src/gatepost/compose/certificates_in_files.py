"""What becomes of certificates in files when the files are read again: what is served, and what the objects say then. Pure,
but that OpenSSL is asked whether it takes a pair."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from msgspec import structs

from gatepost.plan.certificate_files import NamedPair, pairs_in_use
from gatepost.plan.plan import CertificatePlan
from gatepost.registry.certificate import CERTIFICATE, Certificate
from gatepost.registry.file_path import FileTexts, Unreadable
from gatepost.transport.tls_contexts import UnusableTls, check_pair
from gatepost.values.ids import Id

_LONGEST_PROBLEM = 1000  # characters; names in a chain may be of any length


@dataclass(frozen=True, slots=True)
class FilesRead:
    """`pairs`: what each certificate in files is served with. `changed`: objects whose facts or problem are others than
    before. `loaded`: those that are served with another pair than before."""

    pairs: Mapping[Id, NamedPair]
    changed: Mapping[Id, Certificate]
    loaded: Sequence[Id]


def read_again(
    certificates: Mapping[Id, Certificate], files: FileTexts, running: Sequence[CertificatePlan], now: datetime
) -> FilesRead:
    """A file that is broken, missing or does not fit changes nothing of what is served."""
    in_files = {key: certificate for key, certificate in certificates.items() if certificate.files is not None}
    files = _without_what_openssl_refuses(in_files, files, now)
    pairs = pairs_in_use(in_files, files, running, now)
    examined = {key: _examined(certificate, files, now) for key, certificate in in_files.items()}
    served = {each.id: each.chain_pem for each in running}
    return FilesRead(
        pairs=pairs,
        changed={key: value for key, value in examined.items() if value != certificates[key]},
        loaded=[key for key, pair in pairs.items() if pair.chain_pem != served.get(key)],
    )


def _examined(certificate: Certificate, files: FileTexts, now: datetime) -> Certificate:
    completed, problems = CERTIFICATE.examine(certificate, now, files)
    if not problems:
        return completed
    words = "; ".join(problem.description for problem in problems)
    return structs.replace(certificate, file_problem=words[:_LONGEST_PROBLEM])


def _without_what_openssl_refuses(certificates: Mapping[Id, Certificate], files: FileTexts, now: datetime) -> FileTexts:
    """A pair that fits may still be one that no context can be built with: that must not keep everything else from running."""
    usable = dict(files)
    for key, pair in pairs_in_use(certificates, files, (), now).items():
        try:
            check_pair(pair.chain_pem, pair.private_key_pem)
        except UnusableTls as error:
            chain_path, _ = certificates[key].files or ("", "")
            usable[chain_path] = Unreadable(str(error))
    return usable
