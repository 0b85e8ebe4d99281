"""The commands for people. All but `serve` are clients that speak JMAP over HTTP like any other.

Nothing imports this room. Client commands import no server code, so that they start fast.
"""

import sys

# httpx has a command line of its own where what that needs is installed, and loads it: a tenth of the time a command takes.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]  # None: it cannot be imported, which httpx expects
