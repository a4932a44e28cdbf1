"""Copies of values, as `dataclasses.replace` makes them, but quicker."""

import dataclasses

import pytest

from bridge.model import Link, TaskState
from bridge.replacing import made, replace
from tests.values import a_link


def test_a_copy_is_what_dataclasses_would_make_of_it() -> None:
    before = a_link()
    changes = {"task_state": TaskState.OPEN, "attempts": 3, "told": {"title": "Printer"}}
    after = replace(before, **changes)  # type: ignore[arg-type]
    assert after == dataclasses.replace(before, **changes)  # type: ignore[arg-type]
    assert before == a_link()
    with pytest.raises(dataclasses.FrozenInstanceError):
        after.attempts = 4  # type: ignore[misc]


def test_a_name_that_the_value_has_not_is_an_error() -> None:
    with pytest.raises(TypeError, match="Link has no atempts"):
        replace(a_link(), atempts=1)  # type: ignore[call-arg]


def test_a_value_is_made_of_its_fields() -> None:
    assert made(Link, dict(vars(a_link()))) == a_link()
