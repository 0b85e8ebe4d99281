"""Certificates made for a test, and objects with harmless values."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache

import pytest
from tests.certificates import certificate_pem, key_pem, new_certificate, new_key

NOW = datetime(2030, 6, 1, 12, 0, tzinfo=UTC)
Pair = tuple[str, str]
MakePair = Callable[..., Pair]


key_of = cache(new_key)  # RSA keys are slow to make, so each kind is made once


def make_pair(
    names: tuple[str, ...] = ("mail.example.org",),
    kind: str = "ecdsa",
    lifetime: timedelta = timedelta(days=90),
    common_name: str = "mail.example.org",
) -> Pair:
    """A self-signed chain and its key in PEM form, valid from a day before NOW for `lifetime` after it."""
    key = key_of(kind)
    certificate = new_certificate(common_name, key, (NOW - timedelta(days=1), NOW + lifetime), names=names)
    return certificate_pem(certificate), key_pem(key)


@pytest.fixture
def now() -> datetime:
    return NOW


@pytest.fixture
def pair() -> MakePair:
    return make_pair
