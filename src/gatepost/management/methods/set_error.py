"""SetError objects (RFC 8620 section 5.3): why one create, update or destroy of a /set was refused."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from gatepost.management.applying import ApplyFailure
from gatepost.registry.problem import Problem, ProblemType
from gatepost.registry.rules.finding import Finding, Forbidden, Linked, NameTaken, Unfit


@dataclass(frozen=True, slots=True)
class SetError:
    """`members` are the further members that go with the type."""

    type: str
    description: str
    members: dict[str, object] = field(default_factory=dict)

    def to_wire(self) -> dict[str, object]:
        return {"type": self.type, "description": self.description, **self.members}


def invalid_properties(problems: Sequence[Problem]) -> SetError:
    """All problems of an object at once."""
    names = list(dict.fromkeys(problem.property for problem in problems))
    described = "; ".join(f"{problem.property}: {problem.description}" for problem in problems)
    errors = [_problem_to_wire(problem) for problem in problems]
    return SetError("invalidProperties", described, {"properties": names, "validationErrors": errors})


def _problem_to_wire(problem: Problem) -> dict[str, object]:
    wire: dict[str, object] = {
        "property": problem.property,
        "type": problem.type.value,
        "description": problem.description,
    }
    if problem.value is not None:
        wire["value"] = problem.value
    elif problem.type is ProblemType.INVALID:
        wire["value"] = ""  # administration clients exist that cannot read an error of this type without one
    if problem.limit is not None:
        wire |= {"limit": problem.limit, "required": problem.limit}
    return wire


def error_of(problems: Sequence[Problem], findings: Iterable[Finding]) -> SetError | None:
    """The one error for everything that was found about an object; None where nothing was. What is wrong with its
    properties comes first, because all of that can be mended at once."""
    faulty = {problem.property for problem in problems}
    every_problem, others = list(problems), list[SetError]()
    for finding in findings:
        match finding:
            case Unfit(problem=problem):
                if problem.property not in faulty:
                    every_problem.append(problem)
            case NameTaken(existing_id=existing_id, properties=properties, description=description):
                members: dict[str, object] = {"existingId": existing_id, "properties": list(properties)}
                others.append(SetError("alreadyExists", description, members))
            case Linked(linked=linked, description=description):
                links = [{"object": f"x:{ref.object_type}", "id": ref.id} for ref in linked]
                others.append(SetError("objectIsLinked", description, {"linkedObjects": links}))
            case Forbidden(description=description):
                others.append(SetError("forbidden", description))
    if every_problem:
        return invalid_properties(every_problem)
    return others[0] if others else None


def problem_of_failure(failure: ApplyFailure) -> Problem:
    """A bind that the kernel refused, or a TLS policy that could not be built."""
    words = failure.description
    if failure.value is not None and failure.value not in words:
        words = f"{failure.value}: {words}"
    if failure.errno_name is not None and failure.errno_name not in words:
        words = f"{words} ({failure.errno_name})"
    return Problem(failure.property_name, ProblemType.INVALID, words, failure.value)


NOT_FOUND = SetError("notFound", "there is no object with this id")
WILL_DESTROY = SetError("willDestroy", "the same request destroys this object")
SINGLETON = SetError("singleton", "there is exactly one object of this type: it can be updated only")
NOT_OWN = SetError("forbidden", "only the own account, and what belongs to it, may be changed")
