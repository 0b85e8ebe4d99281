"""Certificates for the tests of TLS: a root, an intermediate for each key type, and leaves for any names."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache

from cryptography import x509
from tests.certificates import Issuer, Key, certificate_pem, key_pem, new_certificate, new_key

from gatepost.plan.plan import CertificatePlan
from gatepost.values.ids import Id


def _certificate(subject: str, key: Key, issuer: Issuer | None, names: tuple[str, ...] = ()) -> x509.Certificate:
    now = datetime.now(UTC)
    return new_certificate(
        subject, key, (now - timedelta(hours=1), now + timedelta(days=2)), names=names, issuer=issuer
    )


@cache
def _root() -> Issuer:
    key = new_key()
    return _certificate("root of the tests", key, None), key


@cache
def _intermediate(kind: str) -> Issuer:
    key = new_key(kind)
    return _certificate(f"intermediate {kind}", key, _root()), key


def root_pem() -> str:
    """What clients trust."""
    return certificate_pem(_root()[0])


@cache
def certificate(
    kind: str, *names: str, is_fallback: bool = False, has_intermediate: bool = True, serial: int = 0
) -> CertificatePlan:
    """A certificate with its chain up to the root, which is not part of it. `serial` tells equal ones apart."""
    key = new_key(kind)
    issuer = _intermediate(kind) if has_intermediate else _root()
    leaf = _certificate(names[0], key, issuer, names)
    chain = [leaf, issuer[0]] if has_intermediate else [leaf]
    return CertificatePlan(
        id=Id(f"{kind}-{names[0].replace('*', 'any').replace('.', '-')}-{serial}"),
        chain_pem="".join(map(certificate_pem, chain)),
        private_key_pem=key_pem(key),
        names=names,
        is_fallback=is_fallback,
    )
