"""Certificates made for tests: keys of every kind, signed by an issuer or by themselves, as PEM text."""

from __future__ import annotations

import math
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey | dsa.DSAPrivateKey
Issuer = tuple[x509.Certificate, Key]


def new_key(kind: str = "ecdsa") -> Key:
    """A key of the kind."""
    match kind:
        case "rsa":
            return rsa.generate_private_key(public_exponent=65537, key_size=2048)
        case "rsa1024":
            return rsa.generate_private_key(public_exponent=65537, key_size=1024)
        case "rsa4096":
            return rsa.generate_private_key(public_exponent=65537, key_size=4096)
        case "rsa8194":
            return _rsa_of_no_primes(8194)
        case "ed25519":
            return ed25519.Ed25519PrivateKey.generate()
        case "secp256k1":
            return ec.generate_private_key(ec.SECP256K1())
        case "dsa":
            return dsa.generate_private_key(2048)
        case _:
            return ec.generate_private_key(ec.SECP256R1())


def _rsa_of_no_primes(bits: int) -> rsa.RSAPrivateKey:
    """Of any size at once: the numbers belong together, but nobody has looked for primes. It signs nothing that can be verified."""
    exponent = 65537
    p = next(odd for odd in range((1 << bits // 2) - 1, 0, -2) if math.gcd(exponent, odd - 1) == 1)
    q = next(odd for odd in range(p - 2, 0, -2) if math.gcd(exponent, odd - 1) == 1 == math.gcd(p, odd))
    d = pow(exponent, -1, math.lcm(p - 1, q - 1))
    numbers = rsa.RSAPrivateNumbers(
        p=p, q=q, d=d, dmp1=d % (p - 1), dmq1=d % (q - 1), iqmp=pow(q, -1, p),
        public_numbers=rsa.RSAPublicNumbers(exponent, p * q),
    )  # fmt: skip
    return numbers.private_key(unsafe_skip_rsa_key_validation=True)


def new_certificate(
    subject: str,
    key: Key,
    valid: tuple[datetime, datetime],
    *,
    names: tuple[str, ...] = (),
    issuer: Issuer | None = None,
) -> x509.Certificate:
    """Of these host names, or without any that of an authority; signed by itself where there is no issuer."""
    subject_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject_name)
        .issuer_name(issuer[0].subject if issuer else subject_name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(valid[0])
        .not_valid_after(valid[1])
        .add_extension(x509.BasicConstraints(ca=not names, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if issuer:
        authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer[1].public_key())
        builder = builder.add_extension(authority, critical=False)
    if names:
        hosts = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
        builder = builder.add_extension(hosts, critical=False)
    signing = issuer[1] if issuer else key
    return builder.sign(signing, None if isinstance(signing, ed25519.Ed25519PrivateKey) else hashes.SHA256())


def certificate_pem(certificate: x509.Certificate) -> str:
    """As it stands in a chain."""
    return certificate.public_bytes(Encoding.PEM).decode()


def key_pem(key: Key) -> str:
    """PKCS #8, not encrypted."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
