"""What a certificate chain and its private key say, and whether they belong together. Pure: text in, facts out.

Called by the examination of a Certificate; the TLS library has its own word when a context is built.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import NamedTuple

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.x509.oid import ExtensionOID, NameOID

from gatepost.registry.file_path import FileTexts, Unreadable
from gatepost.registry.private_key import is_sound, read_private_key
from gatepost.registry.tls import KeyType

LONGEST_NAME = 255  # characters; of a host name, 253 (RFC 1035 section 2.3.4)
MOST_NAMES = 1024
LONGEST_ISSUER = 4096  # characters
_RSA_BITS = range(2048, 8192 + 1)  # with larger ones a handshake keeps all clients of the worker waiting
_CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)

PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey | ed25519.Ed25519PublicKey


class PairError(ValueError):
    """Why a pair cannot be used; `property_name` is the wire name of the property that is at fault."""

    def __init__(self, property_name: str, message: str) -> None:
        super().__init__(message)
        self.property_name = property_name


class Pair(NamedTuple):
    """A chain and its key, both in PEM form."""

    chain_pem: str
    private_key_pem: str

    def __repr__(self) -> str:
        return "Pair(...)"


@dataclass(frozen=True, slots=True)
class PairFacts:
    """What the first certificate of the chain says. `names` are lower-case, and such as a client may ask for; `issuer` is one
    line; times are in UTC."""

    names: tuple[str, ...]
    issuer: str
    not_valid_before: datetime
    not_valid_after: datetime
    key_type: KeyType


def read_pair(chain_pem: str, private_key_pem: str) -> PairFacts:
    """The facts of a chain whose first certificate is for the key. Raises PairError."""
    leaf = _leaf_of(chain_pem)
    key_type = _key_type(leaf)
    private_key = _private_key_of(private_key_pem)
    if _octets(private_key.public_key()) != _octets(leaf.public_key()):
        raise PairError("privateKey", "the private key does not belong to the first certificate of the chain")
    if not is_sound(private_key):
        raise PairError("privateKey", "is damaged: its numbers do not belong together")
    return PairFacts(
        names=_askable(_names_of(leaf)),
        issuer=_in_one_line(leaf.issuer.rfc4514_string())[:LONGEST_ISSUER],
        not_valid_before=leaf.not_valid_before_utc,
        not_valid_after=leaf.not_valid_after_utc,
        key_type=key_type,
    )


def pair_in_files(chain_path: str, key_path: str, texts: FileTexts) -> tuple[Pair, PairFacts]:
    """What the two files hold, which may be one and the same. Raises PairError with the wire names of the paths."""
    chain = _text_of(chain_path, "certificateFile", texts)
    key = _text_of(key_path, "privateKeyFile", texts)
    try:
        return Pair(chain, key), read_pair(chain, key)
    except PairError as error:
        is_key = error.property_name == "privateKey"
        name, path = ("privateKeyFile", key_path) if is_key else ("certificateFile", chain_path)
        raise PairError(name, f"{path}: {error}") from None


def _text_of(path: str, property_name: str, texts: FileTexts) -> str:
    text = texts.get(path, Unreadable("was not read"))
    if isinstance(text, Unreadable):
        raise PairError(property_name, f"{path}: {text.reason}")
    return text


def _leaf_of(chain_pem: str) -> x509.Certificate:
    try:
        chain = x509.load_pem_x509_certificates(chain_pem.encode())
    except ValueError:
        raise PairError(
            "certificate", "is not a chain of certificates in PEM form (-----BEGIN CERTIFICATE-----)"
        ) from None
    for certificate, issuer in pairwise(chain):
        if certificate.issuer != issuer.subject:
            words = (
                f"{issuer.subject.rfc4514_string()!r} did not sign the certificate that stands before it in the chain"
            )
            raise PairError("certificate", words)
    return chain[0]


def _private_key_of(private_key_pem: str) -> PrivateKeyTypes:
    try:
        return read_private_key(private_key_pem)
    except TypeError:
        raise PairError("privateKey", "is encrypted; give it without a passphrase") from None
    except (ValueError, UnsupportedAlgorithm):
        raise PairError("privateKey", "is not a private key in PEM form (-----BEGIN PRIVATE KEY-----)") from None


def _octets(key: object) -> bytes:
    if not isinstance(key, PublicKey):
        raise PairError("privateKey", "must be an ECDSA, RSA or Ed25519 key")
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def _key_type(leaf: x509.Certificate) -> KeyType:
    try:
        key = leaf.public_key()
    except (ValueError, UnsupportedAlgorithm):
        raise PairError("certificate", "has a public key that is not known") from None
    match key:
        case ec.EllipticCurvePublicKey() if isinstance(key.curve, _CURVES):
            return KeyType.ECDSA
        case rsa.RSAPublicKey() if key.key_size in _RSA_BITS:
            return KeyType.RSA
        case ed25519.Ed25519PublicKey():
            return KeyType.ED25519
    sizes = f"{_RSA_BITS[0]} to {_RSA_BITS[-1]} bits"
    words = f"has a key that cannot be used: ECDSA on P-256, P-384 or P-521, RSA of {sizes}, or Ed25519"
    raise PairError("certificate", words)


def _in_one_line(text: str) -> str:
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def _askable(names: Iterable[str]) -> tuple[str, ...]:
    """Without those that no client can ask for: whoever signed the certificate may have written anything into it."""
    lower = dict.fromkeys(name.lower() for name in names)
    askable = tuple(name for name in lower if name.isprintable() and 1 <= len(name) <= LONGEST_NAME)
    if len(askable) > MOST_NAMES:
        raise PairError("certificate", f"is for {len(askable)} names, which is more than {MOST_NAMES}")
    return askable


def _names_of(leaf: x509.Certificate) -> list[str]:
    try:
        extension = leaf.extensions.get_extension_for_oid(ExtensionOID.SUBJECT_ALTERNATIVE_NAME).value
    except x509.ExtensionNotFound:
        extension = None
    except ValueError:
        raise PairError("certificate", "has extensions that cannot be read") from None
    if isinstance(extension, x509.SubjectAlternativeName):
        dns_names = extension.get_values_for_type(x509.DNSName)
        addresses = [str(address) for address in extension.get_values_for_type(x509.IPAddress)]
        return [*dns_names, *addresses]
    common_names = leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return [str(attribute.value) for attribute in common_names]
