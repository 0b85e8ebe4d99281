"""All generated pages by file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gatepost.config.object_shape import shapes_of
from gatepost.registry.catalogue import OBJECT_TYPES, READ_ONLY_TYPES
from gatepost.registry.schema import schema_document
from manual.man_page import man_page
from manual.object_page import index_page, object_page

DIRECTORY = Path(__file__).parents[1] / "docs"


def pages() -> Mapping[Path, str]:
    """The text of each file as it ought to be."""
    document: dict[str, Any] = schema_document((*OBJECT_TYPES.values(), *READ_ONLY_TYPES))
    shapes = shapes_of(document).by_name.values()
    reference = DIRECTORY / "reference"
    made = {reference / f"{shape.name}.md": object_page(shape, document) for shape in shapes}
    return {**made, reference / "README.md": index_page(list(shapes)), DIRECTORY / "man" / "gatepost.1": man_page()}
