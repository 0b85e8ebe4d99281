"""Random objects and random methods against a running server: nothing makes it fail, what is refused is named, and what it has
accepted is there again after a restart.

Twenty seconds here, always of the same seeds; `make fuzz` takes minutes and others (`GATEPOST_FUZZ_SECONDS`,
`GATEPOST_FUZZ_SEED`). A failure tells its seed.
"""

from __future__ import annotations

import itertools
import json
import os
import time
from pathlib import Path
from typing import Any, ClassVar

from hypothesis import HealthCheck, Phase, note, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test
from tests.integration.random_objects import Shape, filters, json_values, sorts
from tests.integration.running_server import ADMIN, USING, RunningServer, running_server

SEED = int(os.environ.get("GATEPOST_FUZZ_SEED", "0"))
SECONDS = float(os.environ.get("GATEPOST_FUZZ_SECONDS", "20"))
METHOD_ERRORS = {  # RFC 8620 section 3.6.2, and those of the methods; no serverFail among them
    "serverUnavailable", "serverPartialFail", "unknownMethod", "invalidArguments", "invalidResultReference", "forbidden",
    "accountNotFound", "requestTooLarge", "cannotCalculateChanges", "tooManyChanges", "stateMismatch", "anchorNotFound",
    "unsupportedSort", "unsupportedFilter",
}  # fmt: skip
SET_ERRORS = {
    "invalidProperties", "invalidPatch", "notFound", "alreadyExists", "objectIsLinked", "forbidden", "willDestroy",
    "singleton", "rateLimit",
}  # fmt: skip
PROBLEM_TYPES = {
    "Required", "MinLength", "MaxLength", "MinValue", "MaxValue", "Invalid", "Unknown", "Immutable", "ServerSet", "Conflict",
}  # fmt: skip
VERBS = ("get", "changes", "query", "queryChanges", "set", "copy")
LOGGED_FAILURES = (
    "Traceback",
    "api.method_failed",
    "conversation.failed",
    "loop.error",
    "worker.died",
    "plan.not_applied",
)


class Configured(RuleBasedStateMachine):
    """One client, which makes objects, changes them, asks for them, and talks nonsense."""

    server: ClassVar[RunningServer]
    shapes: ClassVar[dict[str, Shape]]
    seen_states: ClassVar[dict[str, list[str]]]
    seed: ClassVar[int]

    def __init__(self) -> None:
        super().__init__()
        self.made: dict[str, list[str]] = {name: [] for name in self.shapes}

    def teardown(self) -> None:
        """Destroy what was made, whatever links to whatever."""
        for _ in range(3):
            for name in ("x:ApiKey", "x:Account", *self.shapes):
                if self.made[name]:
                    self._set(self.shapes[name], destroy=list(self.made[name]))

    # --- what a client sees -------------------------------------------------------------------------------------------

    def _calls(self, *calls: list[Any]) -> list[list[Any]]:
        note(f"seed {self.seed}, calls: {calls}")
        answer = self.server.http.post("/jmap", content=json.dumps({"using": USING, "methodCalls": calls}).encode(),
                                       headers={"content-type": "application/json"})  # fmt: skip
        assert answer.status_code == 200, (answer.status_code, answer.text)
        responses: list[list[Any]] = answer.json()["methodResponses"]
        assert [each[2] for each in responses] == [each[2] for each in calls]
        for response in responses:
            if response[0] == "error":
                assert response[1]["type"] in METHOD_ERRORS, response
                assert response[1]["description"], response
        return responses

    def _call(self, method: str, **arguments: Any) -> dict[str, Any] | None:
        """The answer; None where it is an error."""
        name, answer, _ = self._calls([method, {"accountId": self.server.account_id, **arguments}, "0"])[0]
        found: dict[str, Any] = answer
        return None if name == "error" else found

    def _set(self, shape: Shape, **arguments: Any) -> dict[str, Any] | None:
        answer = self._call(f"{shape.wire_name}/set", **arguments)
        if answer is None:
            return None
        for operation, done in (("create", "created"), ("update", "updated"), ("destroy", "destroyed")):
            accepted, refused = answer[done] or {}, answer[f"not{done.capitalize()}"] or {}
            assert set(accepted) | set(refused) == set(arguments.get(operation, ())), answer
            assert not set(accepted) & set(refused), answer
            for key, error in refused.items():
                self._check_error(shape, error, arguments[operation][key] if operation != "destroy" else {})
        self._note_outcome(shape, answer, is_dry_run=bool(arguments.get("dryRun")))
        return answer

    def _check_error(self, shape: Shape, error: dict[str, Any], wire: dict[str, Any]) -> None:
        assert error["type"] in SET_ERRORS, error
        assert error["description"], error
        if error["type"] == "invalidProperties":
            named = set(error["properties"])
            assert named, error
            assert named <= {key.partition("/")[0] for key in wire} | set(wire) | set(shape.properties), (error, wire)
            assert {each["property"] for each in error["validationErrors"]} == named, error
            assert all(each["type"] in PROBLEM_TYPES and each["description"] for each in error["validationErrors"]), (
                error
            )

    def _note_outcome(self, shape: Shape, answer: dict[str, Any], *, is_dry_run: bool) -> None:
        states = self.seen_states.setdefault(shape.wire_name, [])
        states.append(answer["newState"])
        if is_dry_run:
            assert answer["oldState"] == answer["newState"]
            return
        made = self.made[shape.wire_name]
        made += [each["id"] for each in (answer["created"] or {}).values()]
        self.made[shape.wire_name] = [each for each in made if each not in (answer["destroyed"] or ())]

    def _shape(self, data: st.DataObject, *, is_made: bool = False) -> Shape:
        names = [name for name, shape in self.shapes.items() if not (is_made and shape.is_singleton)]
        return self.shapes[data.draw(st.sampled_from([*names, *["x:NetworkListener"] * 3]))]

    # --- rules --------------------------------------------------------------------------------------------------------

    @rule(data=st.data(), is_dry_run=st.booleans())
    def create(self, data: st.DataObject, is_dry_run: bool) -> None:
        """Objects that are often fit; those that were taken are as they were sent and told."""
        shape = self._shape(data)
        wires = data.draw(st.lists(shape.objects(self.made), min_size=1, max_size=3))
        answer = self._set(shape, create={f"c{number}": wire for number, wire in enumerate(wires)}, dryRun=is_dry_run)
        for key, told in ((answer or {}).get("created") or {}).items():
            if is_dry_run:
                continue
            found = self._call(f"{shape.wire_name}/get", ids=[told["id"]])
            assert found is not None
            (shown,) = found["list"]
            sent = {name: value for name, value in wires[int(key[1:])].items() if name in shown and name not in told}
            assert shown == {**shown, **sent, **{name: told[name] for name in told if name in shown}}

    @rule(data=st.data())
    def create_unfit(self, data: st.DataObject) -> None:
        """One property that can never be so: refused, and that property is named."""
        shape = self._shape(data, is_made=True)
        wire = data.draw(shape.objects(self.made))
        name = data.draw(st.sampled_from(sorted(shape.properties)))
        wire[name] = data.draw(shape.unfit(name))
        answer = self._set(shape, create={"c": wire})
        assert answer is not None
        error = answer["notCreated"]["c"]
        assert error["type"] == "invalidProperties", (wire, error)
        assert name in error["properties"], (wire, error)

    @rule(data=st.data(), is_dry_run=st.booleans())
    def update(self, data: st.DataObject, is_dry_run: bool) -> None:
        """Patches, of objects that are there or not."""
        there = [(shape, made) for name, shape in self.shapes.items() for made in self.made[name]]
        settings_ = [(shape, "singleton") for shape in self.shapes.values() if shape.is_singleton]
        shape, key = data.draw(st.sampled_from([*there, *settings_, (self._shape(data), "nothing")]))
        patch = data.draw(shape.patches(self.made))
        self._set(shape, update={key: patch}, dryRun=is_dry_run)

    @rule(data=st.data())
    def destroy(self, data: st.DataObject) -> None:
        """Objects that are there or not."""
        shape = self._shape(data)
        ids = data.draw(
            st.lists(st.sampled_from([*self.made[shape.wire_name], "singleton", "nothing", "#x", " "]), max_size=3)
        )
        self._set(shape, destroy=list(dict.fromkeys(ids)))

    @rule(data=st.data(), position=st.integers(-5, 5), limit=st.none() | st.integers(0, 5))
    def query(self, data: st.DataObject, position: int, limit: int | None) -> None:
        """What a query finds can be fetched in the same request."""
        shape = self._shape(data)
        method = f"{shape.wire_name}/query"
        account = {"accountId": self.server.account_id}
        arguments = {
            "filter": data.draw(filters(shape)),
            "sort": data.draw(sorts(shape)),
            "position": position,
            "limit": limit,
        }
        reference = {"resultOf": "q", "name": method, "path": "/ids"}
        found, fetched = self._calls(
            [method, {**account, **arguments, "calculateTotal": True}, "q"],
            [f"{shape.wire_name}/get", {**account, "#ids": reference}, "g"],
        )
        if found[0] != "error":
            assert [each["id"] for each in fetched[1]["list"]] == found[1]["ids"]
            assert len(found[1]["ids"]) <= found[1]["total"]
            self.seen_states.setdefault(shape.wire_name, []).append(found[1]["queryState"])

    @rule(data=st.data(), most=st.none() | st.integers(-1, 4))
    def changes(self, data: st.DataObject, most: int | None) -> None:
        """Since states that were seen, and since others."""
        shape = self._shape(data)
        state = data.draw(st.sampled_from([*self.seen_states.get(shape.wire_name, [])[-20:], "nonsense", "0"]))
        answer = self._call(f"{shape.wire_name}/changes", sinceState=state, maxChanges=most)
        if answer is not None and most is not None:
            assert sum(len(answer[each]) for each in ("created", "updated", "destroyed")) <= most
        self._call(f"{shape.wire_name}/queryChanges", sinceQueryState=state, filter=data.draw(filters(shape)))

    @rule(data=st.data(), arguments=st.dictionaries(
        st.sampled_from(["ids", "properties", "create", "update", "destroy", "filter", "sort", "position", "anchor", "limit",
                         "sinceState", "sinceQueryState", "ifInState", "dryRun", "#ids", "accountId", "nonsense"]),
        json_values, max_size=4,
    ))  # fmt: skip
    def call_anything(self, data: st.DataObject, arguments: dict[str, Any]) -> None:
        """Arguments of any form, for methods that exist or not."""
        names = [*self.shapes, "x:ListenerStatus", "x:Connection", "x:Change", "Core", "x:Nothing"]
        method = f"{data.draw(st.sampled_from(names))}/{data.draw(st.sampled_from(VERBS))}"
        self._call(method, **arguments)

    @rule(body=st.binary(max_size=100) | json_values.map(lambda value: json.dumps(value).encode()))
    def send_anything(self, body: bytes) -> None:
        """A body of any form is answered or refused, with a problem document that does not fail."""
        answer = self.server.http.post("/jmap", content=body, headers={"content-type": "application/json"})
        assert answer.status_code == 400, (body, answer.text)
        assert answer.json()["type"].startswith("urn:ietf:params:jmap:error:"), answer.text


def everything(server: RunningServer) -> dict[str, Any]:
    """All objects of all types."""
    return {name: server.call(f"{name}/get", ids=None)["list"] for name in Configured.shapes}


def test_random_objects_and_methods_break_nothing_and_all_is_there_after_a_restart(tmp_path: Path) -> None:
    with running_server(tmp_path) as server:
        document = server.http.get("/api/schema", follow_redirects=True).json()
        Configured.server = server
        Configured.shapes = {name: Shape(document, name) for name in document["objects"] if name in document["fields"]}
        Configured.shapes = {
            name: shape
            for name, shape in Configured.shapes.items()
            if not name.endswith(("Change", "Connection", "Status"))
        }
        Configured.seen_states = {}
        end = time.monotonic() + SECONDS
        for number in itertools.count(SEED):
            if time.monotonic() > end:
                break
            Configured.seed = number
            run_state_machine_as_test(
                seed(number)(Configured),
                settings=settings(
                    max_examples=4,
                    stateful_step_count=25,
                    deadline=None,
                    database=None,
                    phases=[Phase.generate],  # a server has a past: what failed once cannot be tried again with less
                    suppress_health_check=list(HealthCheck),
                ),
            )
        server.call("x:Domain/set", create={"last": {"name": "last.example"}})
        before, ports = everything(server), server.ports
    log = (tmp_path / "server.log").read_text()
    assert [line for line in log.splitlines() if any(word in line for word in LOGGED_FAILURES)] == []
    again = RunningServer(tmp_path, ["--data", str(tmp_path / "data"), "--workers", "1"], ports, ADMIN)
    try:
        assert everything(again) == before
    finally:
        assert again.stop() == 0
