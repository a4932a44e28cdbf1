"""Tables and timelines for people."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

_COLOURS = {
    "parked": "red",
    "waiting": "yellow",
    "pending": "yellow",
    "settled": "green",
    "applied": "green",
    "completed": "green",
    "ok": "green",
}


def print_table(columns: Sequence[str], rows: Sequence[Mapping[str, Any]], *, empty: str) -> None:
    """The rows on stdout, as wide as the terminal; as wide as they are when that is not one."""
    console = _console()
    if not rows:
        console.print(empty)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*(_cell(row[column]) for column in columns))
    console.print(table)


def print_timeline(links: Sequence[Mapping[str, Any]], deliveries: Sequence[Mapping[str, Any]]) -> None:
    """A ticket's links, and what happened in the order of time."""
    console = _console()
    for link in links:
        console.print(
            f"[bold]{_plain(link['ticket_key'])}[/bold] generation {link['generation']}, link {link['id']}",
            highlight=False,
        )
        for name in (
            "ticket_url",
            "ticket_state",
            "route",
            "task_id",
            "task_state",
            "state",
            "due_at",
            "last_error",
            "note",
            "correlation_key",
        ):
            if link[name] is not None:
                console.print(f"  {name.replace('_', ' '):16}{_cell(link[name])}", highlight=False)
    console.print()
    events = [(d["received_at"], f"delivery {d['id']}", d["event"], d["state"], d["reason"]) for d in deliveries]
    events += [
        (a["started_at"], f"link {link['id']}", a["step"], a["outcome"], a["detail"])
        for link in links
        for a in link["attempts_made"]
    ]
    names = ("when", "what", "event", "outcome", "detail")
    print_table(
        names, [dict(zip(names, event, strict=True)) for event in sorted(events, key=lambda e: e[0])], empty="no events"
    )


def _console() -> Console:
    console = Console()
    return console if console.is_terminal else Console(width=240)


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    colour = _COLOURS.get(str(value))
    return f"[{colour}]{value}[/{colour}]" if colour else _plain(str(value))


def _plain(text: str) -> str:
    """A ticket's text is never read as markup."""
    from rich.markup import escape

    return escape(text)
