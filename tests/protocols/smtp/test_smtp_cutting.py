"""However the octets of an SMTP conversation are cut, the outcome is the same."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

MakeDialogue = Callable[..., Any]

MAIL = b"MAIL FROM:<bob@example.net>\r\n"
RCPT = b"RCPT TO:<alice@example.org>\r\n"
DATA = b"DATA\r\n"
MESSAGE = b"Subject: hello\r\n\r\nfirst\r\n..\r\n...dots\r\n.\r\n"
CONTENT = b"Subject: hello\r\n\r\nfirst\r\n.\r\n..dots\r\n"


SCRIPT = (
    b"EHLO x\r\nAUTH LOGIN\r\nYWxpY2U=\r\nc2VjcmV0\r\n"
    + MAIL
    + RCPT
    + DATA
    + MESSAGE
    + MAIL
    + RCPT
    + b"BDAT 5\r\na\r\n.\rBDAT 3 LAST\r\n\n\r\nBOGUS\r\n"
    + MAIL
    + RCPT
    + DATA
    + b".\r\nQUIT\r\n"
)


def test_octet_by_octet_is_the_same(dialogue: MakeDialogue) -> None:
    whole = dialogue(hello=False, is_tls=True)
    single = dialogue(hello=False, is_tls=True)
    assert whole.say(SCRIPT) == single.say(*(SCRIPT[i : i + 1] for i in range(len(SCRIPT))))
    assert whole.events == single.events
    assert [message.content for message in whole.messages] == [CONTENT, b"a\r\n.\r\n\r\n", b""]


@given(cuts=st.lists(st.integers(0, len(SCRIPT)), max_size=12))
def test_cut_anywhere_is_the_same(dialogue: MakeDialogue, cuts: list[int]) -> None:
    places = sorted({0, len(SCRIPT), *cuts})
    whole = dialogue(hello=False, is_tls=True)
    pieces = dialogue(hello=False, is_tls=True)
    cut = [SCRIPT[a:b] for a, b in itertools.pairwise(places)]
    assert whole.say(SCRIPT) == pieces.say(*cut)
    assert whole.events == pieces.events


WORDS = st.sampled_from(
    [
        b"EHLO x",
        MAIL,
        RCPT,
        DATA,
        MESSAGE,
        b"BDAT 3",
        b" LAST",
        b"AUTH PLAIN ",
        b"=",
        b"\r\n",
        b"\n",
        b"\r",
        b".",
        b"\x00",
    ]
)


@given(st.lists(st.one_of(WORDS, st.binary(max_size=8)), max_size=30))
def test_no_input_makes_the_engine_raise(dialogue: MakeDialogue, pieces: list[bytes]) -> None:
    smtp = dialogue(hello=False, may_auth_in_clear=True)
    answer = smtp.say(*pieces)
    assert all(line[:3].isdigit() for line in answer.splitlines())
