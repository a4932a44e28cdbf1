"""Query options: what a filter finds, how pages are cut, and what is refused."""

import httpx
import pytest

from bridge.sandbox.orchestrator import NewTask, World
from tests.sandbox.conftest import Create

pytestmark = pytest.mark.anyio

ACROSS = "/odata/Tasks/UiPath.Server.Configuration.OData.GetTasksAcrossFolders"
MISSING = "bc40e5c8-3e5d-4a4e-8beb-8ed4595c265d"


@pytest.fixture
async def three(client: httpx.AsyncClient, create: Create) -> None:
    """Tasks 1 to 3, of 12:02 to 12:04; the first is completed at 12:05."""
    await create("Close Ticket", externalTag="JIRA", parentOperationId="op-1", priority="High")
    await create("It's open", externalTag="JIRA", parentOperationId="it's", type="FormTask")
    await create("Éclair, or else", priority="Low")
    await client.post("/tasks/GenericTasks/CompleteTask", json={"taskId": 1, "action": "close"})


async def ids(client: httpx.AsyncClient, **options: str) -> list[int]:
    response = await client.get(ACROSS, params={f"${name}": value for name, value in options.items()})
    assert response.status_code == 200, response.text
    return [task["Id"] for task in response.json()["value"]]


@pytest.mark.parametrize(
    ("odata_filter", "expected"),
    [
        ("ExternalTag eq 'JIRA'", [1, 2]),
        ("externaltag EQ 'JIRA'", [1, 2]),
        ("ExternalTag eq 'jira'", []),
        ("ExternalTag ne 'JIRA'", [3]),
        ("ExternalTag eq null", [3]),
        ("null ne ExternalTag", [1, 2]),
        ("not (ExternalTag eq null)", [1, 2]),
        ("Status eq 'Completed'", [1]),
        ("Status ne 'Completed'", [2, 3]),
        ("IsCompleted", [1]),
        ("IsCompleted eq false", [2, 3]),
        ("Type in ('FormTask', 'AppTask')", [2]),
        ("Type in ('FormTask')", [2]),
        ("Id in (1,3)", [1, 3]),
        ("Id in ( 3 ) and (Priority eq 'Low')", [3]),
        ("Id gt 1 and Id le 3", [2, 3]),
        ("Id lt 2 or Id ge 3", [1, 3]),
        ("Id eq 1 or Id eq 2 and Priority eq 'Low'", [1]),
        ("(Id eq 1 or Id eq 2) and Priority eq 'Medium'", [2]),
        ("Id lt 2.5", [1, 2]),
        ("organizationUnitId eq 1", [1, 2, 3]),
        ("AssignedToUserId gt 0", []),
        ("CreationTime ge 2025-05-07T12:03:00Z", [2, 3]),
        ("CreationTime ge 2025-05-07T14:03:00.0000000+02:00", [2, 3]),
        ("CreationTime lt 2025-05-07T12:03:00", [1]),
        ("CreationTime gt 2025-05-07", [1, 2, 3]),
        ("CompletionTime ne null", [1]),
        ("CompletionTime gt 2020-01-01T00:00:00Z", [1]),
        ("contains(Title,'Ticket')", [1]),
        ("startswith(Title, 'It''s')", [2]),
        ("endswith(tolower(Title), 'else')", [3]),
        ("contains(Title, ' or ')", [3]),
        ("contains(ExternalTag, 'J')", [1, 2]),
        ("startswith(Title, 'É')", [3]),
        (
            "(Type eq 'ExternalTask') and (IsDeleted eq false) and (ExternalTag eq 'JIRA') and (Status ne 'Completed')",
            [],
        ),
        (f"Key eq {MISSING}", []),
        ("ParentOperationId eq 'op-1'", [1]),
        (" parentoperationid  eq  'it''s' ", [2]),
        ("ParentOperationId eq 'op'", []),
        ("ParentOperationId eq 'op-1' or ParentOperationId eq 'it''s'", [1, 2]),
    ],
)
@pytest.mark.usefixtures("three")
async def test_a_filter_finds(client: httpx.AsyncClient, odata_filter: str, expected: list[int]) -> None:
    assert await ids(client, filter=odata_filter) == expected


@pytest.mark.usefixtures("three")
async def test_a_key_is_filtered_by(client: httpx.AsyncClient) -> None:
    key = (await client.get("/odata/Tasks(2)")).json()["Key"]

    assert await ids(client, filter=f"Key eq {key}") == [2]


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize("name", ["$filter", "%24filter", "$Filter"])
async def test_an_options_name_may_be_encoded(client: httpx.AsyncClient, name: str) -> None:
    body = (await client.get(f"{ACROSS}?{name}=Id%20eq%202")).json()

    assert [task["Id"] for task in body["value"]] == [2]


@pytest.mark.parametrize(
    "query",
    [
        "$filter=",
        "$filter=((",
        "$filter=Title",
        "$filter='text'",
        "$filter=1 eq",
        "$filter=Title eq 'open",
        "$filter=Nope eq 1",
        "$filter=Data eq 'x'",
        "$filter=Tags eq 'x'",
        "$filter=AssignedToUser eq null",
        "$filter=AssignedToUser/Nope eq 1",
        "$filter=Title/Name eq 'x'",
        "$filter=Activities/Id eq 1",
        "$filter=Tags/any(t: t/Name eq 'x')",
        "$filter=a/b/c/any(x: x eq 1)",
        "$filter=" + "a/" * 3000 + "a eq 1",
        "$filter=f(a=1,b=2,c=3)",
        "$filter=Title eq 1",
        "$filter=Id eq '1'",
        "$filter=CreationTime gt '2025-05-07'",
        "$filter=CreationTime gt 2025-02-31T00:00:00Z",
        "$filter=Status eq 'Done'",
        "$filter=Status eq 2",
        "$filter=nope(Title)",
        "$filter=contains(Title)",
        "$filter=contains(Id, '1')",
        "$filter=length(Title) eq 3",
        "$filter=Id add 1 eq 2",
        "$filter=Id in 1",
        "$filter=Id in ()",
        "$filter=Id in ('1')",
        "$filter=Id eq " + "9" * 5000,
        "$filter=" + " or ".join(["Id eq 1"] * 101),
        "$filter=" + "tolower(" * 500 + "Title" + ")" * 500 + " eq 'x'",
        "$filter=" + "not " * 5000 + "IsCompleted",
        "$top=1001",
        "$top=-1",
        "$top=one",
        "$top=" + "9" * 5000,
        "$skip=-1",
        "$skip=",
        "$count=maybe",
        "$orderby=Nope",
        "$orderby=Tags",
        "$orderby=Id upwards",
        "$orderby=Id,,Title",
        "$orderby=Id,Title,Type,Status,Priority,Key",
        "$orderby=Activities/Id",
        "$orderby=AssignedToUser/Name/Length",
        "$select=Nope",
        "$expand=Nope",
        "$expand=Title",
        "$expand=AssignedToUser,",
        "$expand=AssignedToUser(",
        "$expand=AssignedToUser($select=Nope)",
        "$expand=AssignedToUser($filter=Id eq 1)",
        "$expand=AssignedToUser(select=Id)",
        "$expand=Activities($top=1001)",
        "$expand=Activities($filter=Nope eq 1)",
        "$expand=Activities($expand=TaskNote($expand=CreatorUser))",
        "$expand=" + "Activities($expand=" * 1000 + ")" * 1000,
        "$apply=aggregate($count as n)",
        "$search=x",
    ],
)
async def test_a_query_that_is_refused(client: httpx.AsyncClient, query: str) -> None:
    response = await client.get(f"{ACROSS}?{query}")

    assert (response.status_code, response.json()["errorCode"]) == (400, 1000)


@pytest.mark.usefixtures("three")
async def test_an_order(client: httpx.AsyncClient) -> None:
    assert await ids(client, orderby="CreationTime desc") == [3, 2, 1]
    assert await ids(client, orderby="externaltag, Id desc") == [3, 2, 1]
    assert await ids(client, orderby="ExternalTag DESC,Title asc") == [1, 2, 3]
    assert await ids(client, orderby="CompletionTime") == [2, 3, 1]


@pytest.mark.usefixtures("three")
async def test_a_page(client: httpx.AsyncClient) -> None:
    assert await ids(client, skip="1", top="1") == [2]
    assert await ids(client, top="0") == []
    assert await ids(client, skip="5") == []


@pytest.mark.usefixtures("three")
async def test_the_count_is_of_all_that_the_filter_leaves(client: httpx.AsyncClient) -> None:
    body = (await client.get(ACROSS, params={"$filter": "Id gt 1", "$top": "1", "$count": "true"})).json()
    without = (await client.get(ACROSS, params={"$count": "false"})).json()

    assert (body["@odata.count"], len(body["value"])) == (2, 1)
    assert "@odata.count" not in without


@pytest.mark.usefixtures("three")
async def test_only_what_is_selected(client: httpx.AsyncClient) -> None:
    params = {"$select": "id, Status", "$top": "1"}
    expanded = {**params, "$expand": "AssignedToUser"}

    assert (await client.get(ACROSS, params=params)).json()["value"] == [{"Id": 1, "Status": "Completed"}]
    assert (await client.get(ACROSS, params=expanded)).json()["value"] == [
        {"Id": 1, "Status": "Completed", "AssignedToUser": None}
    ]


@pytest.mark.usefixtures("three")
async def test_related_entities_come_where_they_are_asked_for(client: httpx.AsyncClient) -> None:
    """UiPath's TypeScript SDK always expands the three users."""
    assigned = {"taskAssignments": [{"TaskId": 2, "UserId": 1002}]}
    await client.post("/odata/Tasks/UiPath.Server.Configuration.OData.AssignTasks", json=assigned)

    (plain,) = (await client.get(f"{ACROSS}?$filter=Id eq 2")).json()["value"]
    users = "AssignedToUser,CreatorUser,LastModifierUser"
    (task,) = (await client.get(f"{ACROSS}?$filter=Id eq 2&$expand={users},taskassignments($expand=Assignee)")).json()[
        "value"
    ]

    assert not {"AssignedToUser", "Activities", "TaskAssignments"} & set(plain)
    assert task["AssignedToUser"] == {
        "Name": "Grace",
        "Surname": "Hopper",
        "UserName": "grace@example.com",
        "EmailAddress": "grace@example.com",
        "DisplayName": "Grace Hopper",
        "Id": 1002,
    }
    assert (task["CreatorUser"], task["LastModifierUser"]) == (None, None)
    assert [one["Assignee"]["Id"] for one in task["TaskAssignments"]] == [1002]


@pytest.mark.usefixtures("three")
async def test_what_is_expanded_is_a_query_of_its_own(client: httpx.AsyncClient) -> None:
    nested = (
        "$filter=ActivityType ne 'Created';$orderby=Id desc;$top=1;$select=ActivityType;$expand=TargetUser($select=Id)"
    )

    task = (await client.get("/odata/Tasks(1)", params={"$select": "Id", "$expand": f"Activities({nested})"})).json()

    assert task["Activities"] == [{"ActivityType": "Completed", "TargetUser": None}]


@pytest.mark.usefixtures("three")
async def test_a_filter_and_an_order_follow_a_way_to_one(client: httpx.AsyncClient) -> None:
    for task_id, user_id in ((2, 1001), (3, 1002)):
        assigned = {"taskAssignments": [{"TaskId": task_id, "UserId": user_id}]}
        await client.post("/odata/Tasks/UiPath.Server.Configuration.OData.AssignTasks", json=assigned)

    assert await ids(client, filter="assignedToUser/emailaddress eq 'grace@example.com'") == [3]
    assert await ids(client, filter="AssignedToUser/Name ne null") == [2, 3]
    assert await ids(client, orderby="AssignedToUser/Surname") == [1, 3, 2]


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize("query", ["$filter=Id+eq+2&$count=True", "%24filter=Id%20eq%202&%24COUNT=TRUE"])
async def test_a_query_as_clients_write_it(client: httpx.AsyncClient, query: str) -> None:
    body = (await client.get(f"{ACROSS}?{query}")).json()

    assert (body["@odata.count"], [task["Id"] for task in body["value"]]) == (1, [2])


async def test_a_page_ends_at_a_thousand(client: httpx.AsyncClient, world: World) -> None:
    for number in range(1001):
        world.create_task(NewTask(title=str(number)))

    assert len(await ids(client)) == 1000
    assert await ids(client, skip="1000") == [1001]
