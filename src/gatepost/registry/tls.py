"""TLS versions and cipher suites that the product knows: nine suites, strongest first, and nothing else.

Used by the declaration of NetworkListener, the rules about TLS and the derivation of plans. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class TlsVersion(Enum):
    """A version that can be switched off; older ones are never offered."""

    TLS12 = "tls12"
    TLS13 = "tls13"


class KeyType(Enum):
    """What a certificate's key is; decides which TLS 1.2 suites can be used with it."""

    ECDSA = "ecdsa"
    RSA = "rsa"
    ED25519 = "ed25519"


class TlsCipherSuite(Enum):
    """A suite by its wire name, in server order within its version."""

    TLS13_AES_256_GCM_SHA384 = "tls13Aes256GcmSha384"
    TLS13_AES_128_GCM_SHA256 = "tls13Aes128GcmSha256"
    TLS13_CHACHA20_POLY1305_SHA256 = "tls13Chacha20Poly1305Sha256"
    ECDHE_ECDSA_AES_256_GCM_SHA384 = "tlsEcdheEcdsaWithAes256GcmSha384"
    ECDHE_ECDSA_AES_128_GCM_SHA256 = "tlsEcdheEcdsaWithAes128GcmSha256"
    ECDHE_ECDSA_CHACHA20_POLY1305 = "tlsEcdheEcdsaWithChacha20Poly1305Sha256"
    ECDHE_RSA_AES_256_GCM_SHA384 = "tlsEcdheRsaWithAes256GcmSha384"
    ECDHE_RSA_AES_128_GCM_SHA256 = "tlsEcdheRsaWithAes128GcmSha256"
    ECDHE_RSA_CHACHA20_POLY1305 = "tlsEcdheRsaWithChacha20Poly1305Sha256"


@dataclass(frozen=True, slots=True)
class SuiteNames:
    """What a suite is called elsewhere, its version, and the keys that it works with (TLS 1.3: any)."""

    openssl: str
    iana: str
    version: TlsVersion
    key_types: frozenset[KeyType]


_ANY_KEY = frozenset(KeyType)
_ECDSA_KEY = frozenset({KeyType.ECDSA, KeyType.ED25519})  # RFC 8422 section 5.10: EdDSA uses the ECDHE_ECDSA suites
_RSA_KEY = frozenset({KeyType.RSA})


def _tls13(name: str) -> SuiteNames:
    return SuiteNames(name, name, TlsVersion.TLS13, _ANY_KEY)


def _tls12(openssl: str, iana: str, key_types: frozenset[KeyType]) -> SuiteNames:
    return SuiteNames(openssl, iana, TlsVersion.TLS12, key_types)


SUITES: dict[TlsCipherSuite, SuiteNames] = {
    TlsCipherSuite.TLS13_AES_256_GCM_SHA384: _tls13("TLS_AES_256_GCM_SHA384"),
    TlsCipherSuite.TLS13_AES_128_GCM_SHA256: _tls13("TLS_AES_128_GCM_SHA256"),
    TlsCipherSuite.TLS13_CHACHA20_POLY1305_SHA256: _tls13("TLS_CHACHA20_POLY1305_SHA256"),
    TlsCipherSuite.ECDHE_ECDSA_AES_256_GCM_SHA384: _tls12(
        "ECDHE-ECDSA-AES256-GCM-SHA384", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", _ECDSA_KEY
    ),
    TlsCipherSuite.ECDHE_ECDSA_AES_128_GCM_SHA256: _tls12(
        "ECDHE-ECDSA-AES128-GCM-SHA256", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", _ECDSA_KEY
    ),
    TlsCipherSuite.ECDHE_ECDSA_CHACHA20_POLY1305: _tls12(
        "ECDHE-ECDSA-CHACHA20-POLY1305", "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", _ECDSA_KEY
    ),
    TlsCipherSuite.ECDHE_RSA_AES_256_GCM_SHA384: _tls12(
        "ECDHE-RSA-AES256-GCM-SHA384", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", _RSA_KEY
    ),
    TlsCipherSuite.ECDHE_RSA_AES_128_GCM_SHA256: _tls12(
        "ECDHE-RSA-AES128-GCM-SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", _RSA_KEY
    ),
    TlsCipherSuite.ECDHE_RSA_CHACHA20_POLY1305: _tls12(
        "ECDHE-RSA-CHACHA20-POLY1305", "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", _RSA_KEY
    ),
}

VERSION_LABELS = {TlsVersion.TLS12: "TLS 1.2", TlsVersion.TLS13: "TLS 1.3"}
SUITE_LABELS = {suite: f"{VERSION_LABELS[names.version]} {names.iana}" for suite, names in SUITES.items()}
SUITE_ALIASES = {
    spelled.casefold(): suite for suite, names in SUITES.items() for spelled in (names.openssl, names.iana)
}
