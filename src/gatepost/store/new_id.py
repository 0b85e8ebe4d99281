"""New ids of what is stored. Called by whoever makes an object, or names a message; the pure rooms get it handed in."""

from __future__ import annotations

import secrets

from gatepost.values.ids import Id, id_from_random

_OCTETS = 10  # see id_from_random


def new_id() -> Id:
    """An id that nothing has had before."""
    return id_from_random(secrets.token_bytes(_OCTETS))
