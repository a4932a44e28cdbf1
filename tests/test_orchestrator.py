"""The client, against the sandbox and against servers with worse manners."""

import asyncio
import base64
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

import pytest
from pydantic import TypeAdapter
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bridge.config import Orchestrator as OrchestratorConfig
from bridge.errors import NotFound, RateLimited, Rejected, RemoteError, Unauthorized, Unavailable, Unknown
from bridge.model import Completion, Folder, TaskId, TaskRequest, TaskState
from bridge.orchestrator import Orchestrator, folder_header
from bridge.orchestrator.auth import token_url
from bridge.sandbox.orchestrator import Rule, World, sandbox_serving
from bridge.serving import serving
from tests.values import NOW

pytestmark = pytest.mark.anyio

SHARED = Folder("path", "Shared")
CREDENTIALS = {"type": "client_credentials", "client_id": "me", "client_secret": "s3cret"}
PASSWORD = {"type": "password", "tenancy_name": "acme", "username": "ada", "password": "s3cret"}


def now() -> datetime:
    return NOW


def config(url: str, **changes: Any) -> OrchestratorConfig:
    document = {"url": url, "auth": {"type": "token", "token": "t"}, "timeout": "1s", **changes}
    return TypeAdapter(OrchestratorConfig).validate_python(document)


@asynccontextmanager
async def client(url: str, clock: Callable[[], datetime] = now, **changes: Any) -> AsyncIterator[Orchestrator]:
    async with Orchestrator(config(url, **changes), clock) as orchestrator:
        yield orchestrator


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
async def orchestrator(world: World) -> AsyncIterator[Orchestrator]:
    async with sandbox_serving(world) as url, client(url) as found:
        yield found


def a_request(**body: Any) -> TaskRequest:
    whole = {"type": "ExternalTask", "title": "t", "externalTag": "JIRA", "taskCatalogName": "Tickets", **body}
    return TaskRequest(whole, SHARED)


async def test_a_task_is_created_found_looked_at_and_completed(orchestrator: Orchestrator, world: World) -> None:
    task = await orchestrator.create_task(a_request(priority="High", data={"a": [1, None]}), "key'1")
    assert task.state is TaskState.OPEN
    assert await orchestrator.find_task("key'1", "JIRA", NOW) == task
    assert await orchestrator.find_task("key", "JIRA", NOW) is None
    assert (await orchestrator.get_task_data(task.id, SHARED))["data"] == {"a": [1, None]}
    assert (await orchestrator.get_task(task.id, SHARED))["Status"] == "Unassigned"
    await orchestrator.complete_task(task.id, Completion("close", {"b": 2}), SHARED)
    assert (await orchestrator.look(task.id, SHARED)).state is TaskState.COMPLETED
    assert (await orchestrator.find_task("key'1", "JIRA", NOW)) == await orchestrator.look(task.id, SHARED)
    assert world.task(task.id).action == "close"


async def test_a_document_validation_task(orchestrator: Orchestrator) -> None:
    data = {"BucketId": 25, "DocumentPath": "default\\x.zip", "Version": "1.0"}
    task = await orchestrator.create_task(a_request(type="DocumentValidationTask", externalTag="DV", data=data), "k")
    shown = await orchestrator.get_task_data(task.id, SHARED)
    assert (shown["type"], shown["externalTag"], shown["data"]) == ("DocumentValidationTask", "DV", data)


async def test_completing_twice_is_refused_and_a_look_tells_why(orchestrator: Orchestrator) -> None:
    task = await orchestrator.create_task(a_request(), "k")
    await orchestrator.complete_task(task.id, Completion("close"), SHARED)
    with pytest.raises(Rejected):
        await orchestrator.complete_task(task.id, Completion("close"), SHARED)


async def test_a_deleted_task_is_gone(orchestrator: Orchestrator) -> None:
    task = await orchestrator.create_task(a_request(), "k")
    await orchestrator.delete_task(task.id)
    assert (await orchestrator.look(task.id, SHARED)).state is TaskState.GONE
    with pytest.raises(Rejected):
        await orchestrator.delete_task(task.id)


async def test_lists_are_filtered_ordered_counted_and_paged(orchestrator: Orchestrator) -> None:
    for number in range(5):
        await orchestrator.create_task(
            a_request(title=f"t{number}", externalTag="A" if number % 2 else "B"), f"k{number}"
        )
    page = await orchestrator.get_tasks_across_folders(
        filter="ExternalTag eq 'B'", top=2, skip=1, orderby="Id desc", count=True
    )
    assert ([item["Title"] for item in page.items], page.count) == (["t2", "t0"], 3)
    assert [item["Title"] async for item in orchestrator.tasks_across_folders(orderby="Id")] == [
        f"t{n}" for n in range(5)
    ]
    assert await orchestrator.get_task_catalogs(SHARED) == ["Tickets"]


async def test_where_the_filter_is_refused_the_tags_tasks_are_compared(
    orchestrator: Orchestrator, world: World
) -> None:
    task = await orchestrator.create_task(a_request(), "k")
    world.faults.replace([Rule(operation="GetTasksAcrossFolders", kind="error", status=400, times=1)])
    since = datetime.now(UTC)
    assert await orchestrator.find_task("k", "JIRA", since) == task
    assert await orchestrator.find_task("other", "JIRA", since) is None


# -- errors ------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "code", "kind"),
    [
        (a_request(taskCatalogName="Nowhere"), 2451, Rejected),
        (TaskRequest({"title": "t"}, None), 1101, Rejected),
        (TaskRequest({"title": "t"}, Folder("path", "Nowhere")), 1100, NotFound),
        (a_request(title="x" * 513), None, Rejected),
    ],
)
async def test_a_refusal_has_the_servers_words(
    orchestrator: Orchestrator, request_: TaskRequest, code: int | None, kind: type[RemoteError]
) -> None:
    with pytest.raises(kind) as caught:
        await orchestrator.create_task(request_, "k")
    assert code is None or caught.value.code == code
    assert "trace 00-" in str(caught.value)


@pytest.mark.parametrize(
    ("rule", "kind"),
    [
        (Rule(kind="error", status=500), Unknown),
        (Rule(kind="error", status=502), Unavailable),
        (Rule(kind="error", status=503), Unavailable),
        (Rule(kind="error", status=504), Unavailable),
        (Rule(kind="error", status=401), Unauthorized),
        (Rule(kind="error", status=403), Unauthorized),
        (Rule(kind="error", status=404), NotFound),
        (Rule(kind="error", status=409), Rejected),
        (Rule(kind="error", status=422), Rejected),
        (Rule(kind="rate_limit", retry_after=7), RateLimited),
        (Rule(kind="rate_limit", status=503, retry_after=7), RateLimited),
        (Rule(kind="drop", when="before"), Unknown),
        (Rule(kind="drop", when="after"), Unknown),
        (Rule(kind="hang"), Unknown),
    ],
    ids=lambda value: f"{value.kind}-{value.when}-{value.status}" if isinstance(value, Rule) else value.__name__,
)
async def test_every_failure_has_its_class(
    orchestrator: Orchestrator, world: World, rule: Rule, kind: type[RemoteError]
) -> None:
    world.faults.replace([rule])
    with pytest.raises(RemoteError) as caught:
        await orchestrator.create_task(a_request(), "k")
    assert type(caught.value) is kind
    if isinstance(caught.value, RateLimited):
        assert caught.value.retry_after == timedelta(seconds=7)


@pytest.mark.parametrize(
    ("status", "body", "answered"),
    [
        (500, {"message": "An error has occurred.", "errorCode": 0}, True),
        (500, {"error": "a gateway's"}, False),
        (524, {}, False),
        (408, {}, False),
    ],
)
async def test_only_orchestrators_own_500_shows_that_it_is_done(
    status: int, body: dict[str, Any], answered: bool
) -> None:
    """A gateway that gave up says nothing of the server behind it, which may create the task yet."""
    async with answering(lambda _: JSONResponse(body, status)) as url, client(url) as orchestrator:
        with pytest.raises(Unknown) as caught:
            await create(orchestrator)
    assert caught.value.answered is answered


async def test_a_kept_connection_that_the_server_closes_under_a_request_is_not_clear(world: World) -> None:
    """The transport reports it as if no connection had been made; taking that at its word would create the task twice."""
    async with sandbox_serving(world) as url, client(url) as orchestrator:
        await orchestrator.create_task(a_request(), "first")  # the connection is kept alive
        world.faults.replace([Rule(operation="CreateTask", kind="drop", when="after")])
        with pytest.raises(Unknown):
            await orchestrator.create_task(a_request(), "second")
    assert len(world.all_tasks()) == 2


async def test_a_server_that_is_not_there_was_certainly_not_reached() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    async with client(url) as orchestrator:
        with pytest.raises(Unavailable) as caught:
            await orchestrator.create_task(a_request(), "k")
    assert not caught.value.sent


@asynccontextmanager
async def answering(answer: Callable[[Request], Response]) -> AsyncIterator[str]:
    async def handle(request: Request) -> Response:
        return answer(request)

    async with serving(Starlette(routes=[Route("/{path:path}", handle, methods=["GET", "POST"])])) as url:
        yield url


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Response("<html>", 200, media_type="text/html"), Unknown),
        (Response(b'{"id": 1', 201), Unknown),
        (JSONResponse({"status": 0}, 201), Unknown),
        (JSONResponse({"id": "x"}, 201), Unknown),
        (JSONResponse([], 201), Unknown),
        (Response(status_code=302, headers={"Location": "/login"}), Rejected),
        (Response("gateway", 502), Unavailable),
        (Response("slow", 429, headers={"Retry-After": "soon"}), RateLimited),
    ],
)
async def test_answers_that_are_not_orchestrators(answer: Response, kind: type[RemoteError]) -> None:
    async with answering(lambda _: answer) as url, client(url) as orchestrator:
        with pytest.raises(RemoteError) as caught:
            await orchestrator.create_task(a_request(), "k")
        assert type(caught.value) is kind


async def test_a_list_that_ignores_the_filter_makes_nothing_ours() -> None:
    items = [{"Id": 1, "ParentOperationId": "another", "Status": "Unassigned"}]
    async with answering(lambda _: JSONResponse({"value": items})) as url, client(url) as orchestrator:
        assert await orchestrator.find_task("mine", "JIRA", NOW) is None


@pytest.mark.parametrize("filtered", [True, False], ids=["filter ignored", "filter refused"])
async def test_a_server_that_gives_shorter_pages_is_looked_through_to_the_end(filtered: bool) -> None:
    """Taking a short page for the last would miss the task, and create it twice."""

    def answer(request: Request) -> Response:
        if not filtered and "ParentOperationId" in request.query_params["$filter"]:
            return JSONResponse({"message": "no such property", "errorCode": 1000}, 400)
        skip = int(request.query_params.get("$skip", 0))
        tasks = [{"Id": n, "ParentOperationId": f"k{n}", "Status": "Unassigned"} for n in range(35)]
        return JSONResponse({"value": tasks[skip : skip + 10]})

    async with answering(answer) as url, client(url) as orchestrator:
        task = await orchestrator.find_task("k34", "JIRA", NOW)
        assert task is not None
        assert task.id == 34
        assert await orchestrator.find_task("k35", "JIRA", NOW) is None


async def test_a_list_without_the_key_cannot_tell() -> None:
    async with answering(lambda _: JSONResponse({"value": [{"Id": 1}]})) as url, client(url) as orchestrator:
        with pytest.raises(Rejected, match="does not show ParentOperationId"):
            await orchestrator.find_task("mine", "JIRA", NOW)


# -- signing in --------------------------------------------------------------------------------------------------------------------


class TokenServer:
    """Issues tokens, and accepts the newest one only."""

    def __init__(self, *, expires_in: int = 3600) -> None:
        self.issued = 0
        self.forms: list[dict[str, Any]] = []
        self.expires_in = expires_in
        self.revoked = False

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/identity/connect/token", self._token, methods=["POST"]),
                Route("/api/Account/Authenticate", self._authenticate, methods=["POST"]),
                Route("/tasks/GenericTasks/CreateTask", self._create, methods=["POST"]),
            ]
        )

    async def _token(self, request: Request) -> Response:
        self.forms.append(_form(await request.body()))
        if self.forms[-1]["client_secret"] != "s3cret":
            return JSONResponse({"error": "invalid_client"}, 400)
        self.issued += 1
        self.revoked = False
        return JSONResponse({"access_token": f"t{self.issued}", "expires_in": self.expires_in, "token_type": "Bearer"})

    async def _authenticate(self, request: Request) -> Response:
        sent = await request.json()
        if sent["password"] != "s3cret":
            return JSONResponse({"message": "no"}, 401)
        self.issued += 1
        self.revoked = False
        return JSONResponse({"result": f"t{self.issued}", "success": True})

    async def _create(self, request: Request) -> Response:
        if self.revoked or request.headers["authorization"] != f"Bearer t{self.issued}":
            return JSONResponse({"message": "You are not authorized!"}, 401)
        return JSONResponse({"id": 1, "status": 0}, 201)


def _form(body: bytes) -> dict[str, str]:
    return dict(parse_qsl(body.decode()))


async def create(orchestrator: Orchestrator) -> TaskId:
    return (await orchestrator.create_task(a_request(), "k")).id


async def test_a_token_is_fetched_once_and_shared() -> None:
    server = TokenServer()
    async with serving(server.app()) as url, client(url, auth=CREDENTIALS) as orchestrator:
        await asyncio.gather(*(create(orchestrator) for _ in range(10)))
    assert server.issued == 1
    assert server.forms == [
        {"grant_type": "client_credentials", "client_id": "me", "client_secret": "s3cret", "scope": "OR.Tasks"}
    ]


async def test_a_token_is_renewed_before_it_ends() -> None:
    server, clock = TokenServer(expires_in=3600), [NOW]
    async with serving(server.app()) as url, client(url, lambda: clock[0], auth=CREDENTIALS) as orchestrator:
        await create(orchestrator)
        clock[0] = NOW + timedelta(minutes=58)
        await create(orchestrator)
        assert server.issued == 1
        clock[0] = NOW + timedelta(minutes=59, seconds=1)
        await create(orchestrator)
    assert server.issued == 2


@pytest.mark.parametrize("auth", [CREDENTIALS, PASSWORD], ids=["client_credentials", "password"])
async def test_a_refused_token_is_renewed_once(auth: dict[str, str]) -> None:
    server = TokenServer()
    async with serving(server.app()) as url, client(url, auth=auth) as orchestrator:
        await create(orchestrator)
        server.revoked = True
        await create(orchestrator)
    assert server.issued == 2


@pytest.mark.parametrize(
    "auth",
    [{**CREDENTIALS, "client_secret": "wr0ng"}, {**PASSWORD, "password": "wr0ng"}],
    ids=["client_credentials", "password"],
)
async def test_wrong_credentials_are_told_without_the_secret(auth: dict[str, str]) -> None:
    async with serving(TokenServer().app()) as url, client(url, auth=auth) as orchestrator:
        with pytest.raises(Unauthorized) as caught:
            await create(orchestrator)
    assert "wr0ng" not in str(caught.value)


async def test_a_sign_in_that_fails_is_tried_once_for_all_who_wait() -> None:
    server = TokenServer()
    async with (
        serving(server.app()) as url,
        client(url, auth={**CREDENTIALS, "client_secret": "wr0ng"}) as orchestrator,
    ):
        ended = await asyncio.gather(*(create(orchestrator) for _ in range(16)), return_exceptions=True)
    assert {type(error) for error in ended} == {Unauthorized}
    assert len(server.forms) == 1


async def test_a_token_endpoint_that_does_not_answer_is_asked_again() -> None:
    """Everybody waits for one renewal: one without an end would be everybody's."""
    server = TokenServer()
    app = server.app()
    hanging = asyncio.Event()

    async def once_silent(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and not hanging.is_set() and scope["path"].endswith("/token"):
            hanging.set()
            while (await receive())["type"] != "http.disconnect":
                pass
            return
        await app(scope, receive, send)

    async with (
        serving(once_silent) as url,
        client(url, auth=CREDENTIALS, timeout=timedelta(seconds=0.5)) as orchestrator,
    ):
        for _ in range(8):  # the first ones wait for the same token
            with suppress(RemoteError):
                await create(orchestrator)
                break
    assert hanging.is_set()
    assert server.issued == 1


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_token_endpoint_that_is_away_is_not_a_wrong_secret(status: int) -> None:
    async with answering(lambda _: Response("away", status)) as url, client(url, auth=CREDENTIALS) as orchestrator:
        with pytest.raises(Unavailable) as caught:
            await create(orchestrator)
    assert not caught.value.sent


@pytest.mark.parametrize(
    "answer", ["<html>sign in</html>", "[]", "null", '{"expires_in": "soon"}', '{"access_token": null}', "3"]
)
async def test_a_token_endpoint_that_gives_no_token_is_told(answer: str) -> None:
    page = Response(answer, 200, media_type="text/html")
    async with answering(lambda _: page) as url, client(url, auth=CREDENTIALS) as orchestrator:
        with pytest.raises(Unauthorized, match="no token from"):
            await create(orchestrator)


@pytest.mark.parametrize(
    ("orchestrator_url", "expected"),
    [
        ("https://cloud.uipath.com/acme/production/orchestrator_", "https://cloud.uipath.com/identity_/connect/token"),
        ("https://suite.acme.test/acme/prod/orchestrator_", "https://suite.acme.test/identity_/connect/token"),
        ("https://orchestrator.acme.test", "https://orchestrator.acme.test/identity/connect/token"),
    ],
)
async def test_where_tokens_come_from(orchestrator_url: str, expected: str) -> None:
    assert token_url(orchestrator_url) == expected


# -- folders -----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("folder", "header"),
    [
        (None, {}),
        (Folder("id", "7"), {"X-UIPATH-OrganizationUnitId": "7"}),
        (Folder("key", "k"), {"X-UIPATH-FolderKey": "k"}),
        (Folder("path", "Shared/Tickets/"), {"X-UIPATH-FolderPath": "Shared/Tickets"}),
        (
            Folder("path", "Büro"),
            {"X-UIPATH-FolderPath-Encoded": base64.b64encode("Büro".encode("utf-16-le")).decode()},
        ),
        (Folder("path", "./x"), {"X-UIPATH-FolderPath-Encoded": base64.b64encode("./x".encode("utf-16-le")).decode()}),
    ],
)
async def test_folder_headers(folder: Folder | None, header: dict[str, str]) -> None:
    assert folder_header(folder) == header
