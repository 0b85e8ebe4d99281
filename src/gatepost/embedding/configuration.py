"""What an embedded server runs, as a configuration in memory: how it begins, and what is wrong with a change of it. Pure, but that
a certificate is made where none is given."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from msgspec import structs

from gatepost.boot.self_signed import make_self_signed
from gatepost.embedding.listener import objection
from gatepost.embedding.refused import Objection, Refused, name_taken
from gatepost.registry.certificate import CERTIFICATE, Certificate, complete_certificate
from gatepost.registry.configuration import Configuration, ObjectRef, Proposal
from gatepost.registry.declaration import SINGLETON_ID
from gatepost.registry.network_listener import NETWORK_LISTENER, NetworkListener
from gatepost.registry.rules.every_rule import findings
from gatepost.registry.rules.finding import Unfit
from gatepost.registry.system_settings import SYSTEM_SETTINGS, SystemSettings
from gatepost.values.ids import Id
from gatepost.values.secret import Secret

SETTINGS = ObjectRef(SYSTEM_SETTINGS.name, SINGLETON_ID)


@dataclass(frozen=True, slots=True)
class CertificatePair:
    """A certificate chain, the server's own certificate first, and its private key, both as PEM text."""

    chain: str
    key: str = field(repr=False)


def first_configuration(settings: SystemSettings, pairs: Sequence[CertificatePair]) -> Configuration:
    """No listeners yet. Without a certificate one is made, self-signed, as at the first start of a server. Raises Refused."""
    made = Configuration.load([])
    return with_certificates(made.replace(SETTINGS, settings), pairs)


def with_certificates(configuration: Configuration, pairs: Sequence[CertificatePair]) -> Configuration:
    """These certificates instead of those that were there; the first is for clients that name no host. Raises Refused."""
    for old in configuration.certificates:
        configuration = configuration.replace(ObjectRef(CERTIFICATE.name, old), None)
    for number, certificate in enumerate(_certificates(pairs, configuration.settings.default_hostname)):
        configuration = configuration.replace(ObjectRef(CERTIFICATE.name, _certificate_id(number)), certificate)
    default = _certificate_id(0) if pairs else None  # the self-signed one needs not be named
    return configuration.replace(SETTINGS, structs.replace(configuration.settings, default_certificate_id=default))


def _certificate_id(number: int) -> Id:
    return Id(f"certificate-{number + 1}")


def _certificates(pairs: Sequence[CertificatePair], hostname: str) -> Iterable[Certificate]:
    now = datetime.now(UTC)
    if not pairs:
        yield make_self_signed(hostname, now)
    for number, pair in enumerate(pairs):
        try:
            yield complete_certificate(
                Certificate(name=_certificate_id(number), certificate=pair.chain, private_key=Secret(pair.key)), now
            )
        except ValueError as error:
            raise Refused(Objection(_certificate_id(number), "chain", str(error))) from None


def refusal(before: Configuration, after: Configuration, names: Iterable[str]) -> Refused | None:
    """What the rules between objects have against a change of these listeners. Nobody can lock themselves out: the program holds
    the server in its hand."""
    touched = tuple(ObjectRef(NETWORK_LISTENER.name, Id(name)) for name in names)
    found = findings(Proposal(before=before, after=after, touched=(SETTINGS, *touched), may_lock_out=True))
    if not found:
        return None
    return Refused(
        *(
            objection(each.ref.id, each.problem) if isinstance(each, Unfit) else name_taken(each.ref.id)
            for each in found
        )
    )


def with_listeners(configuration: Configuration, changed: Mapping[str, NetworkListener | None]) -> Configuration:
    """Listeners added, replaced, or (None) taken away; a listener's id is its name."""
    for name, listener in changed.items():
        configuration = configuration.replace(ObjectRef(NETWORK_LISTENER.name, Id(name)), listener)
    return configuration
