"""Certificates made for a test, and objects with harmless values."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.x509.oid import NameOID

NOW = datetime(2030, 6, 1, 12, 0, tzinfo=UTC)
PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey | dsa.DSAPrivateKey
Pair = tuple[str, str]
MakePair = Callable[..., Pair]


@cache
def private_key(kind: str) -> PrivateKey:
    """A key of the kind; RSA keys are slow to make, so each is made once."""
    match kind:
        case "rsa":
            return rsa.generate_private_key(public_exponent=65537, key_size=2048)
        case "rsa1024":
            return rsa.generate_private_key(public_exponent=65537, key_size=1024)
        case "ed25519":
            return ed25519.Ed25519PrivateKey.generate()
        case "secp256k1":
            return ec.generate_private_key(ec.SECP256K1())
        case "dsa":
            return dsa.generate_private_key(2048)
        case _:
            return ec.generate_private_key(ec.SECP256R1())


def make_pair(
    names: tuple[str, ...] = ("mail.example.org",),
    kind: str = "ecdsa",
    lifetime: timedelta = timedelta(days=90),
    common_name: str = "mail.example.org",
) -> Pair:
    """A self-signed chain and its key in PEM form, valid from a day before NOW for `lifetime` after it."""
    key = private_key(kind)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + lifetime)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), False)
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    certificate = builder.sign(key, algorithm)
    key_pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate.public_bytes(serialization.Encoding.PEM).decode(), key_pem.decode()


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture
def pair() -> MakePair:
    return make_pair
