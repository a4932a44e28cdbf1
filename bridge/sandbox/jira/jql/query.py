"""What a query says, with NOT already gone: Jira itself turns every operator under one into its opposite."""

from dataclasses import dataclass

MAX_DEPTH = 50
"""How deeply conditions may be nested."""

_OPPOSITES = {"=": "!=", "in": "not in", "is": "is not", "<": ">=", ">": "<=", "~": "!~"}
_OPPOSITES |= {opposite: operator for operator, opposite in _OPPOSITES.items()}


@dataclass(frozen=True, slots=True)
class Literal:
    """A value as it was written. Only a number without quotes is a number."""

    text: str
    quoted: bool

    @property
    def number(self) -> int | None:
        """The number that it is, if it is one."""
        digits = self.text.removeprefix("-")
        return (
            int(self.text) if not self.quoted and digits.isascii() and digits.isdigit() and len(digits) < 19 else None
        )


@dataclass(frozen=True, slots=True)
class Function:
    """A value that is worked out, such as `currentUser()`."""

    name: str
    arguments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Empty:
    """No value."""


Operand = Literal | Function | Empty


@dataclass(frozen=True, slots=True)
class Clause:
    """A field, an operator, and its operands: one, or for `in` and `not in` any number."""

    field: str
    operator: str
    operands: tuple[Operand, ...]
    depth: int = 1


@dataclass(frozen=True, slots=True)
class Every:
    """Conditions joined by AND."""

    terms: tuple["Condition", ...]
    depth: int


@dataclass(frozen=True, slots=True)
class Some:
    """Conditions joined by OR."""

    terms: tuple["Condition", ...]
    depth: int


Condition = Clause | Every | Some


@dataclass(frozen=True, slots=True)
class Sort:
    """One field of ORDER BY."""

    field: str
    descending: bool


@dataclass(frozen=True, slots=True)
class Query:
    """The condition, without which a query is unbounded, and the order."""

    where: Condition | None
    sorts: tuple[Sort, ...]


def opposite(condition: Condition) -> Condition:
    """What NOT makes of it."""
    match condition:
        case Clause():
            return Clause(condition.field, _OPPOSITES[condition.operator], condition.operands)
        case Every():
            return Some(tuple(map(opposite, condition.terms)), condition.depth)
        case Some():
            return Every(tuple(map(opposite, condition.terms)), condition.depth)
