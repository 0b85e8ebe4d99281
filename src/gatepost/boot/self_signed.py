"""The certificate that the server makes for itself at its first start, so that TLS works before anybody has made one."""

from __future__ import annotations

import socket
from datetime import datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from gatepost.registry.certificate import Certificate, complete_certificate
from gatepost.values.secret import Secret

_VALIDITY = timedelta(days=3650)
_LOOPBACK = ("127.0.0.1", "::1")


def make_self_signed(hostname: str, now: datetime) -> Certificate:
    """A P-256 certificate for `hostname`, `localhost` and the loopback addresses, valid for ten years."""
    key = ec.generate_private_key(ec.SECP256R1())
    names = list(dict.fromkeys((hostname, "localhost")))
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hostname[:64])])
    alternatives: list[x509.GeneralName] = [x509.DNSName(name) for name in names]
    alternatives += [x509.IPAddress(ip_address(text)) for text in _LOOPBACK]
    public_key = key.public_key()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + _VALIDITY)
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .sign(key, hashes.SHA256())
    )
    private_key = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return complete_certificate(
        Certificate(
            name="self-signed",
            certificate=certificate.public_bytes(serialization.Encoding.PEM).decode(),
            private_key=Secret(private_key.decode()),
            is_self_signed=True,
        ),
        now,
    )


def host_name() -> str:
    """The name of this machine as the kernel has it: asking DNS could take longer than an operator waits."""
    name = socket.gethostname().rstrip(".").lower()
    is_name = all(character.isalnum() or character in "-." for character in name)
    return name if name and is_name else "localhost"
