"""The shell examples of docs/api.md, run as they stand and in their order, on other ports and with another password."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.free_port import free_port
from tests.integration.running_server import ADMIN, PACKAGE_PATH, RunningServer

PAGE = Path(__file__).parents[2] / "docs" / "api.md"
NeedsProgram = Callable[[str], str]
MARK = "=== end of example ==="
NO_SUCH_CONNECTION = "w4242-17"  # stands on the page for one that the reader has seen


def examples() -> list[tuple[str, str]]:
    """Heading and text of every block of shell commands, in order."""
    found: list[tuple[str, str]] = []
    heading = ""
    for match in re.finditer(r"^## (?P<heading>.*)$|^```sh\n(?P<text>.*?)^```$", PAGE.read_text(), re.M | re.S):
        heading = match["heading"] or heading
        if match["text"]:
            found.append((heading, match["text"]))
    return found


def on_other_ports(script: str, server: RunningServer) -> str:
    """The same commands where the demonstration does not run."""
    ports = {"8080": str(server.ports["http"]), "10443": str(server.ports["https"])}

    def other(match: re.Match[str]) -> str:
        return f"127.0.0.1:{ports.setdefault(match[1], str(free_port()))}"

    return re.sub(r"127\.0\.0\.1:(\d+)", other, script)


def test_every_example_of_the_page_does_what_it_says(
    server: RunningServer, needs_program: NeedsProgram, tmp_path: Path
) -> None:
    needs_program("curl")
    headings, texts = zip(*examples(), strict=True)
    script = on_other_ports(f"echo '{MARK}'\n".join([*texts, ""]), server)
    script = script.replace("the password printed at the start", ADMIN[1])
    environment = {
        **os.environ,
        "PYTHONPATH": PACKAGE_PATH,
        "PYTHON": sys.executable,
        "GATEPOST_URL": f"http://127.0.0.1:{server.ports['http']}",
        "GATEPOST_USER": ADMIN[0],
        "GATEPOST_PASSWORD": ADMIN[1],
    }
    done = subprocess.run(
        ["bash", "-euc", f'gatepost() {{ "$PYTHON" -m gatepost "$@"; }}\n{script}'],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=environment,
        cwd=tmp_path,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout[-2000:]
    answers = done.stdout.split(MARK)[: len(texts)]
    assert len(answers) == len(texts)
    for heading, text, answer in zip(headings, texts, answers, strict=True):
        assert '"error",' not in answer, f"{text}\n{answer}"
        refused = re.search(r'"not(?:Created|Updated|Destroyed)": \{', answer)
        is_to_be_refused = heading == "Errors" or NO_SUCH_CONNECTION in text
        assert (refused is not None) == is_to_be_refused, f"{text}\n{answer}"
        if "/eventsource/" in text:
            assert "event: state" in answer
