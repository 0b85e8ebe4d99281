"""Values for random objects, made from the schema document alone, as a client would that knows nothing else: fit ones, unfit ones
with the property that is wrong, and rubbish."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

Schema = dict[str, Any]

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
_NETWORKS = ("10.0.0.0/8", "192.0.2.7", "2001:db8::/32", "127.0.0.0/8", "0.0.0.0/0")
_BY_FORMAT: dict[str, st.SearchStrategy[Any]] = {
    "ipNetwork": st.sampled_from(_NETWORKS),
    "emailAddress": st.sampled_from(["sales@example.org", "info@example.org", "x@elsewhere.example", "no address"]),
    "uri": st.sampled_from(["https://admin.example.org", "http://127.0.0.1:3000", "ftp://x.example", "https://"]),
    "socketAddress": st.builds(
        "127.{}.{}.{}:{}".format, st.just(3), st.integers(0, 3), st.integers(1, 4), st.integers(24_000, 24_003)
    ),
}
_TEXTS = st.sampled_from(
    ["", "a", "b.example", "example.org", "mail.example.org", "Größe", "two words", "x" * 70, "/etc"]
)
_NAMES = (
    st.builds("n{}.example".format, st.integers(0, 40)) | st.builds("n{}.example".format, st.integers(0, 40)) | _TEXTS
)
_DATES = st.sampled_from(["2020-01-31T12:00:00Z", "2040-01-31T12:00:00Z", "2040-01-31", "tomorrow"])
# What would take the server out of the test's reach, or this machine's processors from others.
_KEPT_SMALL: dict[str, st.SearchStrategy[Any]] = {
    "workers": st.sampled_from([None, 1, 2, 0, 65]),
    "maxConnections": st.sampled_from([500, 8192, 0, 2**53]),
    "maxConnectionsPerAddress": st.sampled_from([None, 500, 0]),
}


class Shape:
    """What the schema document says of one object type."""

    def __init__(self, document: Schema, wire_name: str) -> None:
        self.wire_name = wire_name
        self.is_singleton = document["objects"][wire_name]["type"] == "singleton"
        self.properties: dict[str, Schema] = document["fields"][wire_name]["properties"]
        self.defaults: Schema = document["fields"][wire_name].get("defaults", {})
        self.columns = [column["name"] for column in document["lists"][wire_name]["columns"]]
        self._enums = {name: [member["name"] for member in members] for name, members in document["enums"].items()}

    def values(self, name: str, known_ids: dict[str, list[str]]) -> st.SearchStrategy[Any]:
        """Values of a property that are often fit."""
        if name in _KEPT_SMALL:
            return _KEPT_SMALL[name]
        if name == "name":
            return _NAMES
        declared = self.properties[name]["type"]
        fit = self._of_type(declared, known_ids)
        return st.none() | fit if declared.get("nullable") else fit

    def _of_type(self, declared: Schema, known_ids: dict[str, list[str]]) -> st.SearchStrategy[Any]:
        match declared["type"]:
            case "boolean":
                return st.booleans()
            case "number":
                low, high = declared.get("min", 0), declared.get("max", 2**53 - 1)
                return st.sampled_from([low, min(low + 7, high), high]) | st.integers(low, high)
            case "enum":
                return st.sampled_from(self._enums[declared["enumName"]])
            case "objectId":
                return st.sampled_from([*known_ids.get(declared["objectName"], []), "nothing", "#made"])
            case "utcDateTime":
                return _DATES
            case "set":
                members = self._of_type(declared["class"], known_ids)
                as_array = st.lists(members, max_size=3)
                return as_array | as_array.map(lambda found: dict.fromkeys(found, True))
            case _:
                return _BY_FORMAT.get(declared.get("format", ""), _TEXTS)

    def objects(self, known_ids: dict[str, list[str]]) -> st.SearchStrategy[dict[str, Any]]:
        """Objects with a few of their properties; those without a default are always there."""
        needed = [name for name in self._writable if not self._may_be_left_out(name)]
        return self._with_some_of(needed, [name for name in self._writable if name not in needed], known_ids)

    @property
    def _writable(self) -> list[str]:
        return [name for name, each in self.properties.items() if each["update"] != "serverSet"]

    def _may_be_left_out(self, name: str) -> bool:
        return name in self.defaults or bool(self.properties[name]["type"].get("nullable"))

    def _with_some_of(
        self, needed: list[str], others: list[str], known_ids: dict[str, list[str]]
    ) -> st.SearchStrategy[dict[str, Any]]:
        some = st.lists(st.sampled_from(others), max_size=3, unique=True) if others else st.just([])
        return some.flatmap(
            lambda chosen: st.fixed_dictionaries({name: self.values(name, known_ids) for name in [*needed, *chosen]})
        )

    def unfit(self, name: str) -> st.SearchStrategy[Any]:
        """Values that the property can never have, by its type alone."""
        declared = self.properties[name]["type"]
        wrong: list[Any] = [{"x": {}}, [[]], [{}]] if declared["type"] == "set" else [{}, [], ["x"], {"x": True}]
        match declared["type"]:
            case "number":
                wrong += [1.5, True, "many", declared.get("max", 2**53 - 1) + 1, declared.get("min", 0) - 1]
            case "boolean":
                wrong += [0, 1, "true"]
            case "enum":
                wrong += ["no such member", 1, True]
            case "set":
                wrong += [5, True, "text", {"x": False}]
            case _:
                wrong += [5, True, "\x00", "x" * (declared.get("maxLength", 262_144) + 1)]
        return st.sampled_from(wrong)

    def patches(self, known_ids: dict[str, list[str]]) -> st.SearchStrategy[dict[str, Any]]:
        """PatchObjects: whole properties, members of sets, and keys that make no sense."""
        whole = self._with_some_of([], [each for each in self.properties if each != "name"], known_ids)
        sets = [name for name, each in self.properties.items() if each["type"]["type"] == "set"]
        keys = st.builds("{}/{}".format, st.sampled_from([*sets, "name", "nothing"]), st.sampled_from([
            "10.0.0.0~18", "127.3.0.1:24000", "tls12", "a@example.org", "~2", "x/y", ""
        ]))  # fmt: skip
        members = st.dictionaries(keys, st.sampled_from([True, None, False, 5]), max_size=2)
        return whole | members | st.builds(lambda one, other: {**one, **other}, whole, members)


def filters(shape: Shape) -> st.SearchStrategy[Any]:
    """Filters that are often supported."""
    names = st.sampled_from([*shape.columns, "text", "nothing"])
    wanted: st.SearchStrategy[Any] = st.sampled_from(["e", "127.3", 5, True, None, [], "x" * 300])
    condition: st.SearchStrategy[Any] = st.dictionaries(names, wanted, max_size=2)
    return st.none() | st.recursive(
        condition,
        lambda inner: st.fixed_dictionaries(
            {"operator": st.sampled_from(["AND", "OR", "NOT", "XOR"]), "conditions": st.lists(inner, max_size=3)}
        ),
        max_leaves=5,
    )


def sorts(shape: Shape) -> st.SearchStrategy[Any]:
    """Sorts that are often supported."""
    comparator = st.fixed_dictionaries(
        {"property": st.sampled_from([*shape.columns, "nothing"])},
        optional={
            "isAscending": st.booleans(),
            "collation": st.sampled_from(["i;octet", "i;unicode-casemap", "i;none"]),
        },
    )
    return st.none() | st.lists(comparator, max_size=3)
