"""All generated pages by file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gatepost.config.object_shape import shapes_of
from gatepost.registry.catalogue import EVERY_TYPE
from gatepost.registry.schema import schema_document
from manual.man_page import man_page
from manual.object_page import index_page, object_page

DIRECTORY = Path(__file__).parents[1] / "docs"


def pages() -> Mapping[Path, str]:
    """The text of each file as it ought to be."""
    document: dict[str, Any] = schema_document(EVERY_TYPE.values())
    shapes = shapes_of(document)
    listed = list(shapes.by_name.values())
    reference = DIRECTORY / "reference"
    made = {reference / f"{shape.name}.md": object_page(shape, shapes, document) for shape in listed}
    return {**made, reference / "README.md": index_page(listed), DIRECTORY / "man" / "gatepost.1": man_page()}
