"""Rows of several tickets, by index: for a list of pairs, SQLite would read the whole table."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, Table, and_, bindparam

TicketRef = tuple[str, str]
"""A source's name and a ticket's id."""


def of_tickets(table: Table) -> ColumnElement[bool]:
    """The table's rows of the tickets that `these` names; and of another source's, where two have tickets of the same id."""
    return and_(table.c.source.in_(_list("sources")), table.c.ticket_id.in_(_list("ticket_ids")))


def these(refs: Collection[TicketRef]) -> dict[str, list[str]]:
    """The parameters of `of_tickets`."""
    return {
        "sources": sorted({source for source, _ in refs}),
        "ticket_ids": sorted({ticket_id for _, ticket_id in refs}),
    }


def _list(name: str) -> BindParameter[Any]:
    return bindparam(name, expanding=True)
