"""`docs/orchestrator-api.md`: every operation with the client's method, the sandbox's name for it and its tests.

`python -m tests.orchestrator.api_table` writes it anew.
"""

from pathlib import Path

from tests.orchestrator.operations import CASES, Case
from tests.orchestrator.sandbox_table import sandbox_name
from tests.orchestrator.test_against_sandbox import SCENES

FILE = Path(__file__).parents[2] / "docs" / "orchestrator-api.md"

NOT_IN_THE_SANDBOX_YET: frozenset[str] = frozenset()
"""What the sandbox is still to learn; an operation that it knows must leave this list."""

NOT_SPOKEN = {
    "Folders": "folders are only read: making, moving and manning them is an administrator's work",
    "FoldersNavigation": "of the account's folders one view is enough",
    "TaskForms": "form tasks are not what an external ticket becomes",
}
"""The families of the definition of which the client leaves something out, and why."""

_HEAD = """\
# Every operation

Which operations of Orchestrator's API the client speaks, what the [sandbox](../bridge/sandbox/orchestrator/) calls them, and which
tests try them. A test keeps this page true; `python -m tests.orchestrator.api_table` writes it anew. How to use the client is told in
[The Orchestrator client](orchestrator-client.md).

Beside its scene, every operation has its case in `test_operations.py` (what it asks and gives, compared with the definition) and in
each test of `test_errors.py` (every status from 400 to 599, redirects, answers that are none, connections that end at any stage).

| operation of the definition | method and path | client | sandbox | scenes of `test_against_sandbox.py` |
| --- | --- | --- | --- | --- |
"""


def page() -> str:
    """The page as it ought to be."""
    rows = "".join(f"| {' | '.join(cells)} |\n" for cells in map(_cells, CASES))
    left_out = "".join(f"- `{family}`: {why}.\n" for family, why in NOT_SPOKEN.items())
    return f"{_HEAD}{rows}\nThe definition has more operations of these families, which the client does not speak:\n\n{left_out}"


def _cells(case: Case) -> list[str]:
    scenes = sorted(scene.__name__ for scene, operations in SCENES.items() if case.client in operations)
    path = case.path.split("?")[0].replace("UiPath.Server.Configuration.OData", "…")
    return [
        case.operation,
        f"`{case.method} {path}`",
        f"`{case.client}`",
        f"`{sandbox_name(case)}`" if sandbox_name(case) else "not yet",
        ", ".join(f"`{scene}`" for scene in scenes),
    ]


if __name__ == "__main__":
    FILE.write_text(page())
