"""What is taken for a well-formed script, and what people are told about one that is not (RFC 5228)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.protocols.sieve.check import EXTENSIONS, check_script
from gatepost.protocols.sieve.errors import SieveError
from gatepost.protocols.sieve.parser import parse
from gatepost.protocols.sieve.syntax_tree import Number, StringList, Tag

RFC_5228_SECTION_9 = b"""#
# Example Sieve Filter
# Declare any optional features or extension used by the script
#
require ["fileinto"];

#
# Handle messages from known mailing lists
# Move messages from IETF filter discussion list to filter mailbox
#
if header :is "Sender" "owner-ietf-mta-filters@imc.org"
        {
        fileinto "filter";  # move to "filter" mailbox
        }
#
# Keep all messages to or from people in my company
#
elsif address :DOMAIN :is ["From", "To"] "example.com"
        {
        keep;               # keep in "In" mailbox
        }

#
# Try and catch unsolicited email.  If a message is not to me,
# or it contains a subject known to be spam, file it away.
#
elsif anyof (NOT address :all :contains
               ["To", "Cc", "Bcc"] "me@example.com",
             header :matches "subject"
               ["*make*money*fast*", "*university*dipl*mas*"])
        {
        fileinto "spam";   # move to "spam" mailbox
        }
else
        {
        # Move all other (non-company) mail to "personal"
        # mailbox.
        fileinto "personal";
        }
"""


def faults(script: str) -> list[str]:
    return [str(fault) for fault in check_script(script.encode())]


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_rfc_5228_section_9_extended_example(end: bytes) -> None:
    assert list(check_script(RFC_5228_SECTION_9.replace(b"\n", end))) == []


@pytest.mark.parametrize(
    "script",
    [
        "",
        "# nothing\n",
        "/* nothing\n at all */ keep;",
        "keep; discard; stop;",
        "if size :over 100K { discard; }",
        "if true {} elsif false {} else {}",
        'if allof (true, not exists ["a", "b"]) { keep; }',
        'require "vacation"; vacation :days 7 :subject "x" text:\r\nI am away.\r\n..\r\n.\r\n;',
        'require ["comparator-i;octet", "copy"]; redirect :copy "a@example.org";',
        'redirect "a\\"b@example.org";',
    ],
)
def test_well_formed_scripts(script: str) -> None:
    assert faults(script) == []


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_everything_that_is_announced_may_be_required(extension: str) -> None:
    assert faults(f'require "{extension}";') == []


@pytest.mark.parametrize(
    ("script", "fault"),
    [
        ("keep", "line 1: ';' or a block behind 'keep' expected, end of the script found"),
        ("keep;\nkeep\ndiscard;", "line 3: 'discard' is no test: a ';' may be missing before it"),
        ("\n\nif true {\nkeep;\n", "line 3: the block has no end: '}' is missing"),
        ("keep; }", "line 1: a command expected, '}' found"),
        ('keep;\nredirect "abc\n;', "line 2: the string has no end"),
        ("keep;\n/* abc", "line 2: the comment has no end"),
        ('redirect ["a" "b"];', "line 1: ',' or ']' expected, string 'b' found"),
        ('redirect ["a",];', "line 1: a string expected, ']' found"),
        ("redirect [];", "line 1: a string expected, ']' found"),
        ("if allof (true, ) {}", "line 1: a test expected, ')' found"),
        ("if size :over 10X {}", "line 1: unexpected '1'"),
        ("if size :over 99999999999999999999 {}", "line 1: the number is too large"),
        ("keep; $", "line 1: unexpected '$'"),
        ("keep;\n\x01", "line 2: unexpected character U+0001"),
        ("redirect text:\nabc\n", "line 1: the text has no end: a line with nothing but a dot is missing"),
        ('fileinto "x";', "line 1: 'fileinto' needs: require \"fileinto\";"),
        ('require "fileinto"; if envelope "from" "x" {}', "line 1: 'envelope' needs: require \"envelope\";"),
        ('keep;\nrequire "fileinto";', "line 2: 'require' has to stand before all other commands"),
        ('require ["fileinto", "vnd.example"];', "line 1: the extension 'vnd.example' is not known here"),
        ("require 7;", "line 1: 'require' takes a list of strings and nothing else"),
        ("frobnicate;", "line 1: unknown command 'frobnicate'"),
        ("if frobnicated {}", "line 1: unknown test 'frobnicated'"),
        ("if true { else {} }", "line 1: 'else' has to follow 'if' or 'elsif'"),
        ("if true {} else {} else {}", "line 1: 'else' has to follow 'if' or 'elsif'"),
        ("if {}", "line 1: 'if' takes exactly one test"),
        ("if true;", "line 1: 'if' needs a block"),
        ("if true {} else true {}", "line 1: 'else' takes no test"),
        ("keep {}", "line 1: 'keep' does not take a block"),
        ("if not (true, false) {}", "line 1: 'not' takes exactly one test"),
        ("if anyof {}", "line 1: 'anyof' takes a list of tests"),
    ],
)
def test_a_fault_is_named_with_its_line(script: str, fault: str) -> None:
    assert faults(script)[0] == fault


def test_several_faults_are_told_at_once_up_to_ten() -> None:
    assert faults("foo;\nbar;") == ["line 1: unknown command 'foo'", "line 2: unknown command 'bar'"]
    assert len(faults("foo;" * 10)) == len(faults("foo;" * 11)) == 10


def test_octets_that_are_not_utf_8_are_refused_with_their_line() -> None:
    assert [str(fault) for fault in check_script(b"keep;\n# caf\xe9\n")] == ["line 2: the script is not UTF-8"]


@pytest.mark.parametrize(("depth", "is_accepted"), [(15, True), (63, True), (64, True), (65, False), (20000, False)])
def test_rfc_5228_section_2_10_6_blocks_nest_to_a_limit(depth: int, is_accepted: bool) -> None:
    script = "if true {" * depth + "}" * depth
    assert (faults(script) == []) is is_accepted


@pytest.mark.parametrize(("depth", "is_accepted"), [(15, True), (31, True), (33, False), (20000, False)])
def test_rfc_5228_section_2_10_6_test_lists_nest_to_a_limit(depth: int, is_accepted: bool) -> None:
    script = "if " + "allof (" * depth + "true" + ")" * depth + " {}"
    assert (faults(script) == []) is is_accepted
    assert (faults("if " + "not " * 2 * depth + "true {}") == []) is is_accepted


def test_the_tree_has_arguments_as_they_are_meant() -> None:
    (command,) = parse(b'Test :Tag 2K ["a", "b\\\\\\"c"] text: # x\r\n..dot\r\n.\r\n;')
    tag, number, strings, text = command.arguments
    assert command.name == "test"
    assert tag == Tag("tag", 1)
    assert number == Number(2048, 1)
    assert strings == StringList(("a", 'b\\"c'), 1)
    assert text == StringList((".dot\r\n",), 1)


words = st.sampled_from(
    ["if", "true", "{", "}", ";", "(", ")", ",", "[", "]", '"x"', '"', "text:\n", "\n.\n", ":is", "10K", "keep", "/*"]
)


@given(st.lists(words, max_size=40).map(" ".join))
def test_no_script_raises_anything_but_a_sieve_error(script: str) -> None:
    assert all(isinstance(fault, SieveError) for fault in check_script(script.encode()))


@given(st.binary(max_size=200))
def test_no_octets_raise_anything_but_a_sieve_error(script: bytes) -> None:
    assert all(fault.line >= 1 for fault in check_script(script))
