"""What the pages say in words of their own is said for everything that the server can tell."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import gatepost
from gatepost.protocols.proxy_header.header import ProxyFailure
from gatepost.registry.network_listener import NetworkListenerProtocol
from gatepost.transport.ending import Ending
from gatepost.transport.reasons import REFUSALS
from gatepost.transport.tls_failure import TlsFailure

ROOT = Path(gatepost.__file__).parent / "webui"
REASONS = {
    "refused": {*REFUSALS.values(), "proxyHeader"},
    "proxyRejected": {each.value for each in ProxyFailure},
    "tlsFailureReasons": {each.value for each in TlsFailure},
    "ended": {each.value for each in Ending},
}


@pytest.mark.parametrize("counter", REASONS)
def test_every_reason_that_is_counted_has_words(counter: str) -> None:
    text = (ROOT / "listener_words.js").read_text(encoding="utf-8")
    block = re.search(rf'property: "{counter}",\s+reasons: {{(.*?)}}', text, re.DOTALL)
    assert block is not None
    assert set(re.findall(r"^\s+(\w+):", block[1], re.MULTILINE)) == REASONS[counter]


def test_templates_of_listeners_are_of_protocols_that_there_are_and_each_has_one() -> None:
    text = (ROOT / "listener_templates.js").read_text(encoding="utf-8")
    assert set(re.findall(r'values\("[\w-]+", "(\w+)"', text)) == {each.value for each in NetworkListenerProtocol}
