"""What fails after the commit of a /set. Called by `set_flow` and `revert`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from gatepost.management.applying import ApplyError
from gatepost.management.jmap.engine import note_failure
from gatepost.management.jmap.failure import MethodError


@contextmanager
def already_stored(words: str) -> Iterator[None]:
    """Whatever fails within is serverPartialFail: it is the only error after which something has changed (RFC 8620 section
    3.6.2). `words`: what is stored, and what not done."""
    try:
        yield
    except ApplyError as error:
        raise MethodError("serverPartialFail", f"{words}: {error}") from error
    except Exception as error:
        note_failure("set", error)
        raise MethodError("serverPartialFail", words) from error
