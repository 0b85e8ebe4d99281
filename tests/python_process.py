"""Python processes that tests start: they find the product and its packages where this one does."""

from __future__ import annotations

import os
import sys
from pathlib import Path

# Without the standard library of this Python, so that another one of the same version may use it.
PACKAGE_PATH = os.pathsep.join(
    path for path in sys.path if path.endswith("site-packages") or (Path(path) / "gatepost" / "__init__.py").exists()
)


def python_environment(**more: str) -> dict[str, str]:
    """The environment for such a process."""
    return {**os.environ, "PYTHONPATH": PACKAGE_PATH, **more}
