"""Plan files: what is an operation, and how everything else is refused with its file, line and property."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatepost.config.plan_file import (
    Create,
    Destroy,
    PlanError,
    PlanLine,
    PlanProblem,
    Reconcile,
    Update,
    Upsert,
    parse_plan,
)


def problems_of(text: str) -> list[PlanProblem]:
    with pytest.raises(PlanError) as refused:
        parse_plan(text, "plan.ndjson")
    return list(refused.value.problems)


def test_every_kind_of_operation_is_parsed_in_order() -> None:
    text = """
    # listeners of the edge
    {"@type":"upsert","object":"Domain","matchOn":["name"],"value":{"d":{"name":"example.org"}}}
    {"@type":"create","object":"x:Account","value":{"a":{"name":"alice","domainId":"#d"}}}
    {"@type":"update","object":"SystemSettings","value":{"maxConnections":4096}}
    {"@type":"update","object":"NetworkListener","id":"i1","value":{"bind/[::]:25":null}}

    {"@type":"reconcile","object":"networklistener","matchOn":["name"],"value":{}}
    {"@type":"destroy","object":"NetworkListener","value":{"name":"pop3s"}}
    """
    assert parse_plan(text, "p") == [
        Upsert(PlanLine("p", 3), "Domain", ("name",), {"d": {"name": "example.org"}}),
        Create(PlanLine("p", 4), "Account", {"a": {"name": "alice", "domainId": "#d"}}),
        Update(PlanLine("p", 5), "SystemSettings", None, {"maxConnections": 4096}),
        Update(PlanLine("p", 6), "NetworkListener", "i1", {"bind/[::]:25": None}),
        Reconcile(PlanLine("p", 8), "networklistener", ("name",), {}),
        Destroy(PlanLine("p", 9), "NetworkListener", {"name": "pop3s"}),
    ]


def test_an_empty_plan_has_no_operations() -> None:
    assert parse_plan("", "p") == []
    assert parse_plan("\n  \r\n", "p") == []


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm() -> None:
    line = '{"@type":"destroy","object":"Domain","value":{}}'
    assert parse_plan(f"\ufeff{line}\r\n{line}\r\n", "p") == [
        Destroy(PlanLine("p", 1), "Domain", {}),
        Destroy(PlanLine("p", 2), "Domain", {}),
    ]


def test_a_character_beyond_the_basic_plane_may_be_escaped() -> None:
    [operation] = parse_plan(r'{"@type":"destroy","object":"Domain","value":{"name":"\ud83d\ude00"}}', "p")
    assert operation == Destroy(PlanLine("p", 1), "Domain", {"name": "\U0001f600"})


def test_a_line_separator_inside_a_text_does_not_shift_the_line_numbers() -> None:
    [problem] = problems_of('{"@type":"destroy","object":"Domain","value":{"name":"a\u2028b"}}\n[]')
    assert problem.line.number == 2


@pytest.mark.parametrize(
    ("line", "property_name", "words"),
    [
        ('{"@type":"upsert"', None, "not JSON"),
        ("[1]", None, "an operation is a JSON object"),
        ('{"object":"Domain","value":{}}', "@type", "is missing"),
        ('{"@type":"merge","object":"Domain","value":{}}', "@type", "create, update, upsert, reconcile, destroy"),
        ('{"@type":7,"object":"Domain","value":{}}', "@type", "is not an operation"),
        ('{"@type":"create","object":"Domain","value":{},"matchon":[]}', "matchon", "is not a member of create"),
        ('{"@type":"upsert","object":"Domain","match":["name"],"value":{}}', "match", "did you mean 'matchOn'?"),
        ('{"@type":"upsert","object":"Domain","value":{}}', "matchOn", "is missing; upsert needs it"),
        ('{"@type":"destroy","object":"Domain"}', "value", "is missing"),
        ('{"@type":"destroy","object":"x:","value":{}}', "object", "is not the name of an object type"),
        ('{"@type":"destroy","object":3,"value":{}}', "object", "is not the name of an object type"),
        ('{"@type":"create","object":"Domain","value":[]}', "value", "is a map of objects"),
        ('{"@type":"create","object":"Domain","value":{"name":"example.org"}}', "value/name", "stands under a name"),
        ('{"@type":"create","object":"Domain","value":{"a b":{}}}', "value/a b", "A-Z a-z 0-9 - _"),
        ('{"@type":"upsert","object":"Domain","matchOn":"name","value":{}}', "matchOn", "list of property names"),
        ('{"@type":"upsert","object":"Domain","matchOn":[],"value":{}}', "matchOn", "list of property names"),
        (
            '{"@type":"upsert","object":"Domain","matchOn":["name"],"value":{"d":{}}}',
            "value/d/name",
            "matchOn names it",
        ),
        ('{"@type":"update","object":"Domain","id":3,"value":{}}', "id", "is not an id"),
        ('{"@type":"update","object":"Domain","value":[]}', "value", "is not an object"),
        (
            '{"@type":"destroy","object":"Domain","value":{"name":"a","name":"b"}}',
            None,
            "two members of the same name: name",
        ),
        ('{"@type":"destroy","object":"Domain","value":{"n":NaN}}', None, "no numbers of JSON: NaN"),
        ("[" * 100_000, None, "nested too deeply"),
        ('{"@type":"destroy","object":"Domain","value":{"n":1e400}}', None, "a number is out of range: 1e400"),
        ('{"@type":"destroy","object":"Domain","value":{"n":' + "9" * 5000 + "}}", None, "out of range: 9999"),
        (r'{"@type":"destroy","object":"Domain","value":{"n":"\ud800"}}', None, "half a surrogate pair"),
        ('{"@type":"destroy","object":"Domain","value":{"n":"\udcff"}}', None, "half a surrogate pair"),
    ],
)
def test_a_wrong_line_is_refused_with_its_place(line: str, property_name: str | None, words: str) -> None:
    problem = problems_of(f"\n{line}")[0]
    assert (problem.line, problem.property_name) == (PlanLine("plan.ndjson", 2), property_name)
    assert words in problem.description
    assert str(problem).startswith("plan.ndjson line 2: ")


def test_problems_of_all_lines_are_told_at_once() -> None:
    text = '{"@type":"destroy"}\n{"@type":"create","object":"Domain","value":{},"x":1,"y":2}\n'
    assert [(problem.line.number, problem.property_name) for problem in problems_of(text)] == [
        (1, "object"),
        (1, "value"),
        (2, "x"),
        (2, "y"),
    ]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.dictionaries(
        st.sampled_from(["@type", "object", "value", "matchOn", "id", "other"]),
        JSON | st.sampled_from(["create", "update", "upsert", "reconcile", "destroy"]),
    )
)
def test_any_json_object_is_an_operation_or_a_plan_error(members: dict[str, object]) -> None:
    try:
        [operation] = parse_plan(json.dumps(members), "p")
    except PlanError as error:
        assert error.problems
    else:
        assert operation.line == PlanLine("p", 1)


@given(st.text())
def test_any_text_is_a_plan_or_a_plan_error(text: str) -> None:
    try:
        parse_plan(text, "p")
    except PlanError as error:
        assert error.problems
