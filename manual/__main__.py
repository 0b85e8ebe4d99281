"""`python -m manual`: write the pages again."""

from __future__ import annotations

import sys

from manual.pages import DIRECTORY, pages


def main() -> None:
    """Write what has changed, and take away pages of what there is no more."""
    made = pages()
    present = [file for folder in {file.parent for file in made} for file in folder.glob("*.*")]
    for file in present:
        if file not in made:
            file.unlink()
            sys.stdout.write(f"removed {file.relative_to(DIRECTORY)}\n")
    for file, text in made.items():
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
            sys.stdout.write(f"wrote {file.relative_to(DIRECTORY)}\n")


main()
