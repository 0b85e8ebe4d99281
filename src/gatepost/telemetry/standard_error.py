"""Whether standard error takes a line now. The log goes there, and a log that nobody reads for a while must not keep the
server from serving.

Asked by both kinds of log before each write. Standard error may be shared with whoever started the server, so it is not for
us to set O_NONBLOCK on it.
"""

from __future__ import annotations

import select

_STANDARD_ERROR = 2
MOST_IN_ONE_WRITE = (
    4096  # octets: PIPE_BUF of Linux; a longer write to a pipe may wait, or be torn by another process's (pipe(7))
)


def takes_more() -> bool:
    """Whether a write of up to MOST_IN_ONE_WRITE octets returns at once; true also where it fails at once."""
    try:
        return bool(select.select([], [_STANDARD_ERROR], [], 0)[1])
    except OSError:
        return True
