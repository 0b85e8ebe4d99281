"""docs/embedding.md: the examples are what stands in docs/examples, and they run."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest
from tests.embedding.test_gatepost_pytest_plugin import run_tests

DOCS = Path(__file__).parents[2] / "docs"
EXAMPLES = DOCS / "examples"

SAID = {
    "take_mail.py": "from ann@example.net for ('bob@example.org',), 37 octets, by 127.0.0.1\n",
    "judge_mail.py": "{'bob@elsewhere.example': (550, b'5.7.1 Log in to send to others')}\n",
    "deliver_by_lmtp.py": "250 2.1.5 Delivered\n452 4.2.2 Mailbox is full\n",
    "serve_http.py": "hello over https\n",
    "change_while_it_runs.py": (
        "421 4.3.2 localhost Too many connections, try again later\n"
        "220 localhost ESMTP ready\n"
        "EADDRNOTAVAIL\n"
        "221 2.0.0 localhost Goodbye\n"
    ),
    "run_a_mail_server.py": "('OK', [b'1'])\nhello Is anybody there?\r\n\n",
}


def test_every_example_stands_in_the_page_as_it_is_run() -> None:
    page = (DOCS / "embedding.md").read_text()
    shown = dict(re.findall(r"<!-- examples/(\w+\.py) -->\n```python\n(.*?)```\n", page, re.DOTALL))
    assert shown == {path.name: path.read_text() for path in EXAMPLES.glob("*.py")}
    assert len(shown) == page.count("```python")
    assert set(shown) == {*SAID, "test_newsletter.py"}


@pytest.mark.parametrize("name", SAID)
def test_an_example_runs_and_says_what_it_is_to_say(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(EXAMPLES / name), run_name="__main__")
    assert capsys.readouterr() == (SAID[name], "")


def test_the_example_of_tests_passes() -> None:
    assert "2 passed" in run_tests(EXAMPLES / "test_newsletter.py")
