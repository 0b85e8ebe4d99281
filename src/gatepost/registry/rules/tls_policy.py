"""A TLS policy must be able to serve the certificates at hand: what cannot be built is never served as plain text. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gatepost.registry.certificate import CERTIFICATE
from gatepost.registry.configuration import Configuration, ObjectRef, Proposal
from gatepost.registry.network_listener import NETWORK_LISTENER, NetworkListener, usable_suites
from gatepost.registry.problem import Problem, ProblemType
from gatepost.registry.rules.finding import Finding, Linked, Unfit
from gatepost.registry.system_settings import SYSTEM_SETTINGS
from gatepost.registry.tls import SUITES, VERSION_LABELS, KeyType, TlsVersion
from gatepost.values.ids import Id


def unusable_tls_policies(proposal: Proposal) -> Iterator[Finding]:
    """Listeners whose TLS cannot be served: blamed on the listener where it is touched, else on what took its certificate away."""
    touched_listeners = set(proposal.touched_of(NETWORK_LISTENER))
    left_without: dict[Id, NetworkListener] = {}
    for listener_id, listener in proposal.after.listeners.items():
        problem = _problem_of(listener, proposal.after)
        if problem is None:
            continue
        if listener_id in touched_listeners:
            yield Unfit(ObjectRef(NETWORK_LISTENER.name, listener_id), problem)
        elif _problem_of(listener, proposal.before) is None:  # else it was so before: not this change's fault
            left_without[listener_id] = listener
    if left_without:
        yield from _blame_others(proposal, left_without)


def _problem_of(listener: NetworkListener, configuration: Configuration) -> Problem | None:
    if not listener.use_tls:
        return None
    if not configuration.certificates:
        words = "there is no certificate to offer TLS with: create a Certificate first, or set useTls to false"
        return Problem("useTls", ProblemType.CONFLICT, words, "true")
    if not _has_certificate_for_any_name(configuration):
        words = "there is no certificate for clients that name no host: choose one as the default certificate"
        return Problem("useTls", ProblemType.CONFLICT, words, "true")
    key_types = _key_types_served(configuration)
    suites = usable_suites(listener, TlsVersion.TLS12)
    if suites and not any(key_types & SUITES[suite].key_types for suite in suites):
        words = (
            f"none of the suites left for {VERSION_LABELS[TlsVersion.TLS12]} works with the keys of the certificates: "
            "enable one that does, or disable that version"
        )
        return Problem("tlsDisableCipherSuites", ProblemType.CONFLICT, words)
    return None


def _has_certificate_for_any_name(configuration: Configuration) -> bool:
    certificates = configuration.certificates
    has_default = configuration.settings.default_certificate_id in certificates
    return has_default or any(each.is_self_signed for each in certificates.values())


def _key_types_served(configuration: Configuration) -> set[KeyType | None]:
    """Where another certificate is the default one, the self-signed one is not served."""
    default_id = configuration.settings.default_certificate_id
    has_default = default_id in configuration.certificates
    return {
        certificate.key_type
        for certificate_id, certificate in configuration.certificates.items()
        if not (has_default and certificate.is_self_signed and certificate_id != default_id)
    }


def _blame_others(proposal: Proposal, listeners: Mapping[Id, NetworkListener]) -> Iterator[Finding]:
    names = ", ".join(repr(listener.name) for listener in listeners.values())
    words = f"could not offer TLS any more with the certificates that are left: {names}"
    refs = tuple(ObjectRef(NETWORK_LISTENER.name, listener_id) for listener_id in listeners)
    for certificate_id in proposal.touched_of(CERTIFICATE):
        ref = ObjectRef(CERTIFICATE.name, certificate_id)
        if certificate_id not in proposal.after.certificates:
            yield Linked(ref, refs, words)
        else:
            yield Unfit(ref, Problem("certificate", ProblemType.CONFLICT, words))
    for settings_id in proposal.touched_of(SYSTEM_SETTINGS):
        ref = ObjectRef(SYSTEM_SETTINGS.name, settings_id)
        yield Unfit(ref, Problem("defaultCertificateId", ProblemType.CONFLICT, words))
