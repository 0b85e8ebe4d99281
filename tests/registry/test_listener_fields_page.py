"""The page about the fields of a listener names every field with what the model declares, and tests that are there."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest

from gatepost.registry.network_listener import NETWORK_LISTENER

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "listener-fields.md").read_text()
HEADINGS = ("field", "valid", "default", "what it does", "change", "proof")
ROWS = {
    cells[0]: dict(zip(HEADINGS, cells, strict=True))
    for line in PAGE.splitlines()
    if line.startswith("| ") and not line.startswith("| field ")
    for cells in [[cell.strip() for cell in line.strip("|").split(" | ")]]
}


def every_test() -> dict[str, set[str]]:
    """Every test function by name, with its parameters."""
    found: dict[str, set[str]] = {}
    for path in (ROOT / "tests").rglob("test_*.py"):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                found[node.name] = {argument.arg for argument in node.args.args}
    return found


TESTS = every_test()


def test_every_field_is_on_the_page_and_nothing_else() -> None:
    assert set(ROWS) == set(NETWORK_LISTENER.properties)


@pytest.mark.parametrize("name", NETWORK_LISTENER.properties)
def test_effect_and_default_are_those_of_the_model(name: str) -> None:
    declared = NETWORK_LISTENER.properties[name]
    assert ROWS[name]["change"] == declared.declaration.effect.value
    if not declared.has_default:
        assert ROWS[name]["default"] == "required"
    else:
        words = {None: "unset", (): "none"}
        value = getattr(declared.default, "value", declared.default)
        wanted = words[value] if value is None or value == () else json.dumps(value).strip('"')
        assert ROWS[name]["default"] == wanted


@pytest.mark.parametrize("name", NETWORK_LISTENER.properties)
def test_each_proof_is_a_test_and_one_runs_over_both_families(name: str) -> None:
    proofs = re.findall(r"`(test_\w+)`", ROWS[name]["proof"])
    assert proofs
    assert [proof for proof in proofs if proof not in TESTS] == []
    assert any("way" in TESTS[proof] for proof in proofs)  # IPv4, IPv6 and both through one socket


def test_what_else_the_page_refers_to_is_there() -> None:
    text = PAGE.partition("| field |")[0]
    for name in re.findall(r"`(test_\w+)`", text):
        assert name in TESTS
    for name in re.findall(r"`(?:tests/\w+/)?(test_\w+\.py)`", text):
        assert list((ROOT / "tests").rglob(name))
