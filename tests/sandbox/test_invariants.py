"""Whatever is asked of the sandbox, in whatever order, what it then shows is what was done to it.

A state machine plays random operations over the wire beside a model of what they should do; after every step the sandbox's list,
counts and activities have to agree with the model.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

import httpx
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from bridge.sandbox.orchestrator import World
from tests.sandbox.conftest import FOLDERS, SIGNED_IN
from tests.sandbox.threads import sandbox_in_thread

GENERIC = "/tasks/GenericTasks"
ACTION = "/odata/Tasks/UiPath.Server.Configuration.OData"
NOTE = "/odata/TaskNotes/UiPath.Server.Configuration.OData.CreateTaskNote"
USERS = st.sampled_from([1001, 1002])
WORDS = st.text("ab é'", min_size=1, max_size=5).filter(str.strip)
DATA = st.dictionaries(st.sampled_from("ab"), st.integers(-5, 5) | st.none() | WORDS, max_size=2)
CATALOGS = st.sampled_from([None, "Tickets", "MinodoraCertificates"])
NO_TASK = 10**9


@dataclass
class Expected:
    """What the model knows of a task."""

    title: str
    key: str
    data: dict[str, Any]
    catalog: str | None
    status: str = "Unassigned"
    assignee: int | None = None
    tags: list[str] = field(default_factory=list)
    activities: list[str] = field(default_factory=lambda: ["Created"])
    deleted: bool = False


class Machine(RuleBasedStateMachine):
    """The operations, each beside what it should do."""

    client: ClassVar[httpx.Client]
    ids = Bundle("ids")

    def __init__(self) -> None:
        super().__init__()
        self.expected: dict[int, Expected] = {}
        self.touched: int | None = None

    @initialize(target=ids)
    def begin(self) -> Any:
        assert self.client.post("/sandbox/reset").status_code == 204
        return multiple(NO_TASK)

    # -- the operations ------------------------------------------------------------------------------------------------------------

    @rule(target=ids, title=WORDS, data=DATA, catalog=CATALOGS)
    def create(self, title: str, data: dict[str, Any], catalog: str | None) -> int:
        body = {"title": title, "data": data, "taskCatalogName": catalog}
        response = self.client.post(f"{GENERIC}/CreateTask", json=body)
        task = response.json()
        assert response.status_code == 201
        assert task["id"] not in self.expected
        self.touched = task["id"]
        self.expected[task["id"]] = Expected(title, task["key"], data, catalog)
        return int(task["id"])

    @rule(task_id=ids, user=USERS)
    def assign(self, task_id: int, user: int) -> None:
        task, refused = self._open(task_id)
        if task is not None and task.status == "Pending":
            refused = 2400
        errors = self._errors("AssignTasks", {"taskAssignments": [{"TaskId": task_id, "UserId": user}]})
        assert errors == ([refused] if refused else [])
        if task is not None and refused is None:
            task.status, task.assignee = "Pending", user
            task.activities.append("Assigned")

    @rule(task_id=ids, user=USERS)
    def reassign(self, task_id: int, user: int) -> None:
        task, refused = self._open(task_id)
        errors = self._errors("ReassignTasks", {"taskAssignments": [{"TaskId": task_id, "UserId": user}]})
        assert errors == ([refused] if refused else [])
        if task is not None:
            task.activities.append("Reassigned" if task.status == "Pending" else "Assigned")
            task.status, task.assignee = "Pending", user

    @rule(task_id=ids)
    def unassign(self, task_id: int) -> None:
        task, refused = self._open(task_id)
        assert self._errors("UnassignTasks", {"taskIds": [task_id]}) == ([refused] if refused else [])
        if task is not None and task.status == "Pending":
            task.status, task.assignee = "Unassigned", None
            task.activities.append("Unassigned")

    @rule(task_id=ids, user=USERS, data=st.none() | DATA, note=st.none() | WORDS)
    def forward(self, task_id: int, user: int, data: dict[str, Any] | None, note: str | None) -> None:
        body = {"TaskId": task_id, "UserId": user, "SaveData": data is not None, "Data": data, "NoteText": note}
        task = self._changes(task_id, "POST", f"{GENERIC}/SaveAndReassignTask", body)
        if task is not None:
            task.data = task.data if data is None else data
            task.status, task.assignee = "Pending", user
            task.activities += ["Saved"] * (data is not None) + ["Forwarded"] + ["Commented"] * (note is not None)

    @rule(task_id=ids, data=DATA)
    def save(self, task_id: int, data: dict[str, Any]) -> None:
        task = self._changes(task_id, "PUT", f"{GENERIC}/SaveTaskData", {"taskId": task_id, "data": data})
        if task is not None:
            task.data = data
            task.activities.append("Saved")

    @rule(task_id=ids, tags=st.lists(WORDS, max_size=2))
    def tag(self, task_id: int, tags: list[str]) -> None:
        body = {"taskId": task_id, "tags": [{"Name": name} for name in tags]}
        task = self._changes(task_id, "PUT", f"{GENERIC}/SaveTaskTags", body)
        if task is not None:
            task.tags = tags
            task.activities.append("Saved")

    @rule(task_id=ids, title=WORDS)
    def edit(self, task_id: int, title: str) -> None:
        body = {"TaskId": task_id, "Title": title, "UnsetTaskCatalog": True}
        task = self._changes(task_id, "POST", f"{ACTION}.EditTaskMetadata", body)
        if task is not None:
            if (task.title, task.catalog) != (title, None):
                task.activities.append("Saved")
            task.title, task.catalog = title, None

    @rule(task_id=ids, data=st.none() | DATA)
    def complete(self, task_id: int, data: dict[str, Any] | None) -> None:
        task = self._changes(task_id, "POST", f"{GENERIC}/CompleteTask", {"taskId": task_id, "data": data})
        if task is not None:
            task.data = task.data if data is None else data
            task.status = "Completed"
            task.activities.append("Completed")

    @rule(task_id=ids, text=WORDS)
    def comment(self, task_id: int, text: str) -> None:
        task = self._live().get(task_id)
        response = self.client.post(NOTE, json={"TaskId": task_id, "Text": text})
        assert response.status_code == (404 if task is None else 201)
        if task is not None:
            task.activities.append("Commented")

    @rule(task_ids=st.lists(ids, max_size=3))
    def delete(self, task_ids: list[int]) -> None:
        expected = []
        for task_id in task_ids:
            task = self._live().get(task_id)
            expected += [1002] * (task is None)
            if task is not None:
                task.deleted, self.touched = True, task_id
        assert self._errors("DeleteTasks", {"taskIds": task_ids}) == expected

    @rule(number=st.sampled_from([1, 2]))
    def delete_catalog(self, number: int) -> None:
        """Catalogs with tasks in them stay; one that is gone is made again, so that tasks can be created in it."""
        name = {1: "Tickets", 2: "MinodoraCertificates"}[number]
        (catalog,) = self.client.get("/odata/TaskCatalogs", params={"$filter": f"Name eq '{name}'"}).json()["value"]
        used = any(task.catalog == name for task in self._live().values())
        response = self.client.delete(f"/odata/TaskCatalogs({catalog['Id']})")
        assert response.status_code == (409 if used else 204)
        if not used:
            path = "/odata/TaskCatalogs/UiPath.Server.Configuration.OData.CreateTaskCatalog"
            assert self.client.post(path, json={"Name": name}).status_code == 201

    # -- what always holds ---------------------------------------------------------------------------------------------------------

    @invariant()
    def what_is_listed_is_what_was_done(self) -> None:
        nested = "Activities($select=ActivityType;$orderby=Id)"
        body = self._list({"$expand": nested})
        listed = {task["Id"]: task for task in body["value"]}
        live = self._live()
        assert body["@odata.count"] == len(body["value"]) == len(listed)
        assert list(listed) == list(live)
        for task_id, task in live.items():
            shown = listed[task_id]
            assert (shown["Title"], shown["Key"], shown["TaskCatalogName"]) == (task.title, task.key, task.catalog)
            assert (shown["Status"], shown["AssignedToUserId"]) == (task.status, task.assignee)
            assert shown["IsCompleted"] == (task.status == "Completed") == (shown["CompletionTime"] is not None)
            assert [tag["Name"] for tag in shown["Tags"]] == task.tags
            assert [one["ActivityType"] for one in shown["Activities"]] == task.activities
        keys = [task.key for task in self.expected.values()]
        assert len(set(keys)) == len(keys)

    @invariant()
    def counts_agree(self) -> None:
        live = self._live().values()
        for status in ("Unassigned", "Pending", "Completed"):
            body = self._list({"$filter": f"Status eq '{status}'", "$top": "0"})
            assert (body["@odata.count"], body["value"]) == (sum(task.status == status for task in live), [])

    @invariant()
    def the_last_touched_task_is_read_or_gone(self) -> None:
        if self.touched is None:
            return
        task_id, task = self.touched, self.expected[self.touched]
        response = self.client.get(f"{GENERIC}/GetTaskDataByKey", params={"taskKey": task.key})
        assert response.status_code == (404 if task.deleted else 200)
        if not task.deleted:
            statuses = {0: "Unassigned", 1: "Pending", 2: "Completed"}
            body = response.json()
            assert (body["id"], body["data"], statuses[body["status"]]) == (task_id, task.data, task.status)

    # -- small things --------------------------------------------------------------------------------------------------------------

    def _live(self) -> dict[int, Expected]:
        return {task_id: task for task_id, task in self.expected.items() if not task.deleted}

    def _open(self, task_id: int) -> tuple[Expected | None, int | None]:
        """The task if it may be changed, else the code with which it may not."""
        self.touched = task_id if task_id in self.expected else self.touched
        task = self._live().get(task_id)
        if task is None:
            return None, 1002
        return (None, 2400) if task.status == "Completed" else (task, None)

    def _changes(self, task_id: int, method: str, path: str, body: Any) -> Expected | None:
        """Ask for a change of one task; the task, if it has to have been changed."""
        task, refused = self._open(task_id)
        response = self.client.request(method, path, json=body)
        if refused is None:
            assert response.is_success, response.text
        else:
            assert response.json()["errorCode"] == refused
        return task

    def _errors(self, operation: str, body: Any) -> list[int]:
        response = self.client.post(f"{ACTION}.{operation}", json=body)
        assert response.status_code == 200, response.text
        return [error["ErrorCode"] for error in response.json()["value"]]

    def _list(self, options: dict[str, str]) -> dict[str, Any]:
        body: dict[str, Any] = self.client.get(f"{ACTION}.GetTasksAcrossFolders", params=options).json()
        return body


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with (
        sandbox_in_thread(World(folders=FOLDERS)) as url,
        httpx.Client(base_url=url, headers=SIGNED_IN) as signed_in,
    ):
        yield signed_in


def test_what_is_shown_is_what_was_done(client: httpx.Client) -> None:
    Machine.client = client
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=15, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
