"""What a benchmark finds: figures with the targets that they are held against, and the table of them."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """What a figure should reach: `least` is promised, `aim` is wished for. Where less is better, both are upper bounds."""

    least: float
    aim: float
    less: bool = False

    def reached(self, value: float) -> str:
        """In a word."""
        for name, bound in (("aim", self.aim), ("at least", self.least)):
            if (value <= bound) if self.less else (value >= bound):
                return name
        return "missed"

    def told(self, bound: float) -> str:
        """A bound, with its direction."""
        return f"{'≤' if self.less else '≥'} {bound:g}"


@dataclass(frozen=True)
class Figure:
    """One line of the table; without a target it is told for its own sake, without a value what could not be measured."""

    what: str
    value: float | None
    unit: str = ""
    target: Target | None = None

    @property
    def missed(self) -> bool:
        """Whether not even the least was reached."""
        return self.target is not None and self.value is not None and self.target.reached(self.value) == "missed"


def table(figures: Iterable[Figure]) -> str:
    """In Markdown, which reads well in a terminal too."""
    rows = [("measured", "value", "at least", "aim", "reached"), ("---", "---:", "---:", "---:", "---")]
    for figure in figures:
        value = "" if figure.value is None else f"{_number(figure.value)} {figure.unit}".strip()
        if figure.target is None or figure.value is None:
            rows.append((figure.what, value, "", "", ""))
        else:
            target = figure.target
            rows.append(
                (figure.what, value, target.told(target.least), target.told(target.aim), target.reached(figure.value))
            )
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    )


def _number(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
