"""testssl.sh, which knows the known attacks on TLS, finds nothing above "low" but what is said of the certificate."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.integration.running_server import RunningServer

_ABOVE_LOW = {"MEDIUM", "HIGH", "CRITICAL", "FATAL"}
# Protocols, ciphers, forward secrecy, server preference, vulnerabilities. What a certificate says of itself is left out: the
# tests make their own.
_SECTIONS = ("-p", "-s", "-f", "-P", "-U")


def test_no_finding_above_low(
    shared_server: RunningServer, needs_program: Callable[[str], str], tmp_path: Path
) -> None:
    findings = tmp_path / "findings.json"
    host, port = shared_server.address("imaps")
    subprocess.run(
        [
            needs_program("testssl"),
            *("--quiet", "--color", "0", "--warnings", "off", "--openssl", needs_program("openssl")),
            *("--jsonfile", str(findings), "--ip", host, *_SECTIONS, f"localhost:{port}"),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        timeout=600,
        check=False,  # its exit code counts what it thinks worth mentioning
    )
    found = {each["id"]: each for each in json.loads(findings.read_text())}
    assert [each for each in found.values() if each["severity"] in _ABOVE_LOW] == []
    assert found["TLS1_3"]["severity"] == found["TLS1_2"]["severity"] == "OK"
    assert {"heartbleed", "ROBOT", "secure_client_renego", "LUCKY13", "cipher_order"} <= set(found), "it has looked"
