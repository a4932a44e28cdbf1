"""Who has a task: assigning, reassigning, unassigning and forwarding it (guide "Tasks requests")."""

from typing import Any

import httpx
import pytest

from bridge.sandbox.orchestrator import World
from tests.sandbox.conftest import Create
from tests.sandbox.test_errors import failure

pytestmark = pytest.mark.anyio

ACTION = "/odata/Tasks/UiPath.Server.Configuration.OData"
FORWARD = "/tasks/GenericTasks/SaveAndReassignTask"
ADA, GRACE = 1001, 1002


async def ask(client: httpx.AsyncClient, operation: str, *assignments: dict[str, Any]) -> list[dict[str, Any]]:
    """The errors of an assignment."""
    response = await client.post(f"{ACTION}.{operation}", json={"taskAssignments": list(assignments)})
    assert response.status_code == 200, response.text
    errors: list[dict[str, Any]] = response.json()["value"]
    return errors


async def unassign(client: httpx.AsyncClient, *task_ids: int) -> list[dict[str, Any]]:
    response = await client.post(f"{ACTION}.UnassignTasks", json={"taskIds": list(task_ids)})
    errors: list[dict[str, Any]] = response.json()["value"]
    return errors


async def read(client: httpx.AsyncClient, task_id: int) -> dict[str, Any]:
    task: dict[str, Any] = (await client.get(f"/odata/Tasks({task_id})?$expand=AssignedToUser")).json()
    return task


async def activities(client: httpx.AsyncClient, task_id: int) -> list[str]:
    path = f"/odata/TaskActivities/UiPath.Server.Configuration.OData.GetByTaskId(taskId={task_id})"
    return [one["ActivityType"] for one in (await client.get(path)).json()["value"]]


async def test_a_task_is_assigned_and_the_next_is_already(client: httpx.AsyncClient, url: str, create: Create) -> None:
    first, second = (await create())["id"], (await create())["id"]
    await ask(client, "AssignTasks", {"TaskId": second, "UserId": ADA})

    body = {"taskAssignments": [{"TaskId": first, "UserId": GRACE}, {"TaskId": second, "UserId": GRACE}]}
    response = await client.post(f"{ACTION}.AssignTasks", json=body)

    collection = "Collection(UiPath.Orchestrator.Tasks.Dto.TaskAssignmentErrorResponse)"
    assert (response.status_code, response.json()) == (
        200,
        {
            "@odata.context": f"{url}/odata/$metadata#{collection}",
            "value": [
                {"TaskId": second, "UserId": GRACE, "ErrorCode": 2400, "ErrorMessage": "Task is already assigned"}
            ],
        },
    )
    task = await read(client, first)
    assert (task["Status"], task["AssignedToUserId"], task["TaskAssigneeName"]) == (
        "Pending",
        GRACE,
        "grace@example.com",
    )
    assert task["AssignedToUser"]["Name"] == "Grace"
    assert task["LastAssignedTime"] == task["LastModificationTime"]
    data = (await client.get(f"/tasks/GenericTasks/GetTaskDataById?taskId={first}")).json()
    assert (data["status"], data["assignedToUser"]["emailAddress"]) == (1, "grace@example.com")
    assert [user["id"] for user in data["taskAssignees"]] == [GRACE]


async def test_a_completed_task_is_not_unassigned(client: httpx.AsyncClient, url: str, create: Create) -> None:
    first, second = (await create())["id"], (await create())["id"]
    await ask(client, "AssignTasks", {"TaskId": first, "UserId": ADA}, {"TaskId": second, "UserId": ADA})
    await client.post("/tasks/GenericTasks/CompleteTask", json={"taskId": second})

    response = await client.post(f"{ACTION}.UnassignTasks", json={"taskIds": [first, second]})

    collection = "Collection(UiPath.Orchestrator.Tasks.Dto.TaskAssignmentErrorResponse)"
    assert response.json() == {
        "@odata.context": f"{url}/odata/$metadata#{collection}",
        "value": [
            {"TaskId": second, "UserId": None, "ErrorCode": 2400, "ErrorMessage": "This task is in completed state"}
        ],
    }
    assert ((await read(client, first))["Status"], (await read(client, first))["AssignedToUserId"]) == (
        "Unassigned",
        None,
    )
    assert await activities(client, first) == ["Created", "Assigned", "Unassigned"]


@pytest.mark.parametrize("operation", ["AssignTasks", "ReassignTasks"])
async def test_a_completed_task_is_given_to_nobody(client: httpx.AsyncClient, create: Create, operation: str) -> None:
    task = await create()
    await client.post("/tasks/GenericTasks/CompleteTask", json={"taskId": task["id"]})

    (error,) = await ask(client, operation, {"TaskId": task["id"], "UserId": ADA})

    assert (error["ErrorCode"], error["ErrorMessage"]) == (2400, "This task is in completed state")


async def test_a_task_is_reassigned(client: httpx.AsyncClient, create: Create) -> None:
    task_id = (await create())["id"]
    await ask(client, "AssignTasks", {"TaskId": task_id, "UserId": ADA})

    assert await ask(client, "ReassignTasks", {"taskId": task_id, "UserNameOrEmail": "GRACE@example.com"}) == []

    assert (await read(client, task_id))["AssignedToUserId"] == GRACE
    assert await activities(client, task_id) == ["Created", "Assigned", "Reassigned"]


async def test_reassigning_what_nobody_has_assigns_it(client: httpx.AsyncClient, create: Create) -> None:
    task_id = (await create())["id"]

    assert await ask(client, "ReassignTasks", {"TaskId": task_id, "UserId": ADA}) == []
    assert await activities(client, task_id) == ["Created", "Assigned"]


async def test_unassigning_what_nobody_has_changes_nothing(client: httpx.AsyncClient, create: Create) -> None:
    task_id = (await create())["id"]

    assert await unassign(client, task_id) == []
    assert await activities(client, task_id) == ["Created"]


@pytest.mark.parametrize("operation", ["AssignTasks", "ReassignTasks"])
async def test_tasks_and_users_that_do_not_exist(client: httpx.AsyncClient, create: Create, operation: str) -> None:
    task_id = (await create())["id"]

    errors = await ask(
        client,
        operation,
        {"TaskId": 4711, "UserId": ADA},
        {"TaskId": task_id, "UserId": 7},
        {"TaskId": task_id, "UserNameOrEmail": "nobody@example.com"},
        {"TaskId": task_id, "AssignmentCriteria": "AllUsers", "AssigneeUserIds": [ADA, 7]},
    )

    assert errors == [
        {"TaskId": 4711, "UserId": ADA, "ErrorCode": 1002, "ErrorMessage": "Task does not exist."},
        {"TaskId": task_id, "UserId": 7, "ErrorCode": 1002, "ErrorMessage": "User does not exist."},
        {
            "TaskId": task_id,
            "UserId": None,
            "ErrorCode": 1002,
            "ErrorMessage": "User does not exist.",
            "UserNameOrEmail": "nobody@example.com",
        },
        {"TaskId": task_id, "UserId": None, "ErrorCode": 1002, "ErrorMessage": "User does not exist."},
    ]
    assert (await unassign(client, 4711, -1))[1]["ErrorCode"] == 1002
    assert await activities(client, task_id) == ["Created"]


async def test_a_users_id_goes_before_a_name(client: httpx.AsyncClient, create: Create) -> None:
    task_id = (await create())["id"]

    await ask(client, "AssignTasks", {"TaskId": task_id, "UserId": ADA, "UserNameOrEmail": "grace@example.com"})

    assert (await read(client, task_id))["AssignedToUserId"] == ADA


@pytest.mark.parametrize(
    ("criteria", "assignee"),
    [("SingleUser", ADA), ("Workload", GRACE), ("RoundRobin", GRACE), ("Hierarchy", ADA), (1, GRACE)],
)
async def test_one_of_several_is_chosen(
    client: httpx.AsyncClient, create: Create, criteria: str, assignee: int
) -> None:
    """Ada has a task already, Grace has none."""
    busy, task_id = (await create())["id"], (await create())["id"]
    await ask(client, "AssignTasks", {"TaskId": busy, "UserId": ADA})
    assignees = {"AssigneeUserIds": [ADA], "AssigneeNamesOrEmails": ["grace@example.com"]}

    assert await ask(client, "AssignTasks", {"TaskId": task_id, "AssignmentCriteria": criteria, **assignees}) == []

    assert (await read(client, task_id))["AssignedToUserId"] == assignee


async def test_a_task_goes_to_all_of_several(client: httpx.AsyncClient, create: Create) -> None:
    task_id = (await create())["id"]
    several = {"AssignmentCriteria": "AllUsers", "AssigneeUserIds": [GRACE, ADA, GRACE]}

    assert await ask(client, "AssignTasks", {"TaskId": task_id, **several}) == []

    task = (await client.get(f"/odata/Tasks({task_id})?$expand=TaskAssignments($expand=Assignee)")).json()
    assert (task["Status"], task["AssignedToUserId"], task["TaskAssignmentCriteria"]) == ("Pending", None, "AllUsers")
    assert [one["Assignee"]["Id"] for one in task["TaskAssignments"]] == [GRACE, ADA]
    data = (await client.get(f"/tasks/GenericTasks/GetTaskDataById?taskId={task_id}")).json()
    assert [one["id"] for one in data["taskAssignees"]] == [GRACE, ADA]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"taskAssignments": {}},
        {"taskAssignments": [1]},
        {"taskAssignments": [{"UserId": ADA}]},
        {"taskAssignments": [{"TaskId": 0, "UserId": ADA}]},
        {"taskAssignments": [{"TaskId": -1, "UserId": ADA}]},
        {"taskAssignments": [{"TaskId": 2**63, "UserId": ADA}]},
        {"taskAssignments": [{"TaskId": 10**30, "UserId": ADA}]},
        {"taskAssignments": [{"TaskId": 1}]},
        {"taskAssignments": [{"TaskId": 1, "UserId": "1"}]},
        {"taskAssignments": [{"TaskId": 1, "UserNameOrEmail": "x" * 257}]},
        {"taskAssignments": [{"TaskId": 1, "UserId": ADA, "AssignmentCriteria": "Nobody"}]},
        {"taskAssignments": [{"TaskId": 1, "AssigneeUserIds": ["1"]}]},
        {"taskAssignments": [{"TaskId": 1, "AssigneeNamesOrEmails": [1]}]},
    ],
)
@pytest.mark.parametrize("operation", ["AssignTasks", "ReassignTasks"])
async def test_an_assignment_that_makes_no_sense(
    client: httpx.AsyncClient, create: Create, operation: str, body: dict[str, Any]
) -> None:
    await create()

    assert failure(await client.post(f"{ACTION}.{operation}", json=body))[:2] == (400, 1000)


async def test_a_task_is_forwarded_with_its_data_and_a_note(client: httpx.AsyncClient, create: Create) -> None:
    task_id, other = (await create(data={"old": 1}))["id"], (await create())["id"]
    await ask(client, "AssignTasks", {"TaskId": task_id, "UserId": ADA}, {"TaskId": other, "UserId": ADA})

    body = {"TaskId": task_id, "UserId": GRACE, "SaveData": True, "Data": {"new": 2}, "NoteText": "yours"}
    response = await client.post(FORWARD, json=body)

    assert (response.status_code, response.content) == (204, b"")
    data = (await client.get(f"/tasks/GenericTasks/GetTaskDataById?taskId={task_id}")).json()
    assert (data["data"], data["assignedToUserId"]) == ({"new": 2}, GRACE)
    assert await activities(client, task_id) == ["Created", "Assigned", "Saved", "Forwarded", "Commented"]
    across = f"{ACTION}.GetTasksAcrossFolders"
    assert [one["Id"] for one in (await client.get(f"{across}?event=ForwardedEver")).json()["value"]] == [task_id]
    assert failure(await client.get(f"{across}?event=Nope"))[:2] == (400, 1000)


async def test_data_that_is_not_to_be_saved_is_not(client: httpx.AsyncClient, create: Create) -> None:
    task_id = (await create(data={"old": 1}))["id"]

    await client.post(FORWARD, json={"TaskId": task_id, "UserId": GRACE, "Data": {"new": 2}})

    data = (await client.get(f"/tasks/GenericTasks/GetTaskDataById?taskId={task_id}")).json()
    assert data["data"] == {"old": 1}
    assert await activities(client, task_id) == ["Created", "Forwarded"]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"TaskId": 4711, "UserId": ADA}, (404, 1002)),
        ({"UserId": 7}, (404, 1002)),
        ({"UserId": None}, (400, 1000)),
        ({"TaskId": 0, "UserId": ADA}, (400, 1000)),
        ({"UserId": ADA, "NoteText": "x" * 513}, (400, 1000)),
        ({"UserId": ADA, "SaveData": "yes"}, (400, 1000)),
        ({"UserId": ADA, "Data": []}, (400, 1000)),
    ],
)
async def test_what_is_not_forwarded_is_not_saved(
    client: httpx.AsyncClient, create: Create, fields: dict[str, Any], expected: tuple[int, int]
) -> None:
    task_id = (await create(data={"old": 1}))["id"]

    refused = await client.post(FORWARD, json={"TaskId": task_id, "SaveData": True, "Data": {"new": 2}, **fields})

    assert failure(refused)[:2] == expected
    data = (await client.get(f"/tasks/GenericTasks/GetTaskDataById?taskId={task_id}")).json()
    assert (data["data"], data["status"]) == ({"old": 1}, 0)


async def test_a_completed_task_is_not_forwarded(client: httpx.AsyncClient, create: Create) -> None:
    task_id = (await create())["id"]
    await client.post("/tasks/GenericTasks/CompleteTask", json={"taskId": task_id})

    assert failure(await client.post(FORWARD, json={"TaskId": task_id, "UserId": ADA}))[:2] == (400, 2400)


async def test_the_users_of_a_folder(client: httpx.AsyncClient, url: str) -> None:
    response = await client.get(f"{ACTION}.GetTaskUsers(organizationUnitId=828)")

    assert response.json() == {
        "@odata.context": f"{url}/odata/$metadata#UserLoginInfo",
        "@odata.count": 2,
        "value": [
            {
                "Name": "Ada",
                "Surname": "Lovelace",
                "UserName": "ada@example.com",
                "EmailAddress": "ada@example.com",
                "DisplayName": "Ada Lovelace",
                "Id": ADA,
            },
            {
                "Name": "Grace",
                "Surname": "Hopper",
                "UserName": "grace@example.com",
                "EmailAddress": "grace@example.com",
                "DisplayName": "Grace Hopper",
                "Id": GRACE,
            },
        ],
    }
    assert failure(await client.get(f"{ACTION}.GetTaskUsers(organizationUnitId=7)"))[:2] == (404, 1100)
    assert failure(await client.get(f"{ACTION}.GetTaskUsers(organizationUnitId=x)"))[:2] == (400, 1000)


async def test_who_asks_is_remembered(client: httpx.AsyncClient, world: World, create: Create) -> None:
    """An external application is nobody; a world may say who its caller is."""
    world.caller = world.users[ADA]
    task_id = (await create())["id"]
    await ask(client, "AssignTasks", {"TaskId": task_id, "UserId": GRACE})

    task = (await client.get(f"/odata/Tasks({task_id})?$expand=CreatorUser,LastModifierUser")).json()
    path = f"/odata/TaskActivities/UiPath.Server.Configuration.OData.GetByTaskId(taskId={task_id})"
    (_, assigned) = (await client.get(f"{path}?$expand=CreatorUser,TargetUser")).json()["value"]

    assert (task["CreatorUser"]["Id"], task["LastModifierUserId"]) == (ADA, ADA)
    assert (assigned["CreatorUser"]["Id"], assigned["TargetUser"]["Id"], assigned["TargetUserId"]) == (
        ADA,
        GRACE,
        GRACE,
    )
