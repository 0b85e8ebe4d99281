"""Copies the web UI's libraries out of `node_modules` into the package: `make vendor` after a change of `package.json`.

`npm ci` has checked what it unpacked against `package-lock.json`. The files are taken as they are published but for what the
browser needs to find them: modules import each other by their path, and uPlot, which is published minified only as a
script, gets an export. `libraries.json` says of each file what it is, where it comes from and its SHA-256; a test holds
the two together.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
FROM = ROOT / "node_modules"
TO = ROOT / "src" / "gatepost" / "webui" / "vendor"


@dataclass(frozen=True, slots=True)
class Vendored:
    """One file: `source` in the package `name`, what is replaced in it, what is added at its end."""

    name: str
    source: str
    target: str
    replace: tuple[str, str] | None = None
    append: str = ""


FILES = (
    Vendored("preact", "dist/preact.mjs", "preact.js"),
    Vendored("preact", "hooks/dist/hooks.mjs", "hooks.js", replace=('from"preact"', 'from"./preact.js"')),
    Vendored("htm", "dist/htm.mjs", "htm.js"),
    Vendored("uplot", "dist/uPlot.iife.min.js", "uplot.js", append="\nexport default uPlot;\n"),
    Vendored("uplot", "dist/uPlot.min.css", "uplot.css"),
)


def vendor() -> None:
    TO.mkdir(exist_ok=True)
    listed = [_copy(each) for each in FILES]
    for name in sorted({each.name for each in FILES}):
        (TO / f"LICENSE.{name}").write_bytes((FROM / name / "LICENSE").read_bytes())
    (TO / "libraries.json").write_text(json.dumps(listed, indent=2) + "\n")


def _copy(file: Vendored) -> dict[str, str]:
    package = json.loads((FROM / file.name / "package.json").read_text())
    text = (FROM / file.name / file.source).read_text()
    text = "".join(line for line in text.splitlines(keepends=True) if not line.startswith("//# sourceMappingURL="))
    if file.replace is not None:
        before, after = file.replace
        if text.count(before) != 1:
            raise SystemExit(f"{file.name} {file.source} has {before!r} {text.count(before)} times, not once")
        text = text.replace(before, after)
    (TO / file.target).write_text(text + file.append)
    return {
        "file": file.target,
        "package": file.name,
        "version": package["version"],
        "source": f"https://registry.npmjs.org/{file.name}/-/{file.name}-{package['version']}.tgz#{file.source}",
        "license": package["license"],
        "sha256": hashlib.sha256((TO / file.target).read_bytes()).hexdigest(),
    }


if __name__ == "__main__":
    vendor()
