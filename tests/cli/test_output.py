"""What is printed for people gives no orders to their terminal, whoever has written it."""

from __future__ import annotations

import pytest

from gatepost.cli.output import Output

ORDERS = "\x1b]0;title\x07\x9b31mred\r\x08 \u202eright to left"
HARMLESS = r"\x1b]0;title\x07\x9b31mred\r\x08 \u202eright to left"


def test_nothing_that_is_printed_can_give_orders_to_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output(has_color=False)
    output.line(ORDERS)
    output.paragraph(ORDERS, indent=2)
    output.pairs([(ORDERS, ORDERS)])
    output.table([ORDERS], [[ORDERS]])
    output.error([ORDERS, ORDERS])
    output.warning(ORDERS)
    printed = capsys.readouterr()
    assert (printed.out + printed.err).count(HARMLESS) == 9
    assert not set("\x1b\x07\x9b\r\x08\u202e") & set(printed.out + printed.err)


def test_lines_tabs_and_letters_of_all_scripts_are_printed_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    text = "Grüße, שלום, 你好 🧀\n\tsecond line"
    Output(has_color=False).line(text)
    assert capsys.readouterr().out.expandtabs() == f"{text}\n".expandtabs()
