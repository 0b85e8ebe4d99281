"""Certificates for the tests of TLS: a root, an intermediate for each key type, and leaves for any names."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from gatepost.plan.plan import CertificatePlan
from gatepost.values.ids import Id

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


def _key(kind: str) -> Key:
    if kind == "rsa":
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return ec.generate_private_key(ec.SECP256R1())


def _certificate(
    subject: str, key: Key, issuer: tuple[x509.Certificate, Key] | None, names: tuple[str, ...] = ()
) -> x509.Certificate:
    subject_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject_name)
        .issuer_name(issuer[0].subject if issuer else subject_name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=2))
        .add_extension(x509.BasicConstraints(ca=not names, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if issuer:
        authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer[1].public_key())
        builder = builder.add_extension(authority, critical=False)
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(n) for n in names]), critical=False)
    return builder.sign(issuer[1] if issuer else key, hashes.SHA256())


@cache
def _root() -> tuple[x509.Certificate, Key]:
    key = _key("ecdsa")
    return _certificate("root of the tests", key, None), key


@cache
def _intermediate(kind: str) -> tuple[x509.Certificate, Key]:
    key = _key(kind)
    return _certificate(f"intermediate {kind}", key, _root()), key


def root_pem() -> str:
    """What clients trust."""
    return _root()[0].public_bytes(Encoding.PEM).decode()


@cache
def certificate(
    kind: str, *names: str, is_fallback: bool = False, has_intermediate: bool = True, serial: int = 0
) -> CertificatePlan:
    """A certificate with its chain up to the root, which is not part of it. `serial` tells equal ones apart."""
    key = _key(kind)
    issuer = _intermediate(kind) if has_intermediate else _root()
    leaf = _certificate(names[0], key, issuer, names)
    chain = [leaf, issuer[0]] if has_intermediate else [leaf]
    return CertificatePlan(
        id=Id(f"{kind}-{names[0].replace('*', 'any').replace('.', '-')}-{serial}"),
        chain_pem="".join(link.public_bytes(Encoding.PEM).decode() for link in chain),
        private_key_pem=key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
        names=names,
        is_fallback=is_fallback,
    )
