"""What the processes of a run may use; they inherit it from here."""

from __future__ import annotations

import resource


def allow_descriptors() -> None:
    """As many as the system allows: a connection takes one in the server and one in the client."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
