"""Signing in: three token endpoints and the password login of older servers."""

import httpx
import pytest

pytestmark = pytest.mark.anyio

FORM = {"grant_type": "client_credentials", "client_id": "app", "client_secret": "s", "scope": "OR.Tasks OR.Folders"}
TOKEN = "/identity_/connect/token"
LOGIN = "/api/Account/Authenticate"


@pytest.mark.parametrize("path", [TOKEN, "/acme/identity_/connect/token", "/identity/connect/token"])
async def test_a_client_gets_a_token_that_works(url: str, path: str) -> None:
    async with httpx.AsyncClient(base_url=url) as client:
        answer = (await client.post(path, data=FORM)).json()
        headers = {"Authorization": f"{answer['token_type']} {answer['access_token']}"}
        folders = await client.get("/odata/Folders", headers=headers)

    assert {**answer, "access_token": "…"} == {
        "access_token": "…",
        "expires_in": 3600,
        "token_type": "Bearer",
        "scope": "OR.Tasks OR.Folders",
    }
    assert folders.status_code == 200


async def test_every_token_is_another(client: httpx.AsyncClient) -> None:
    first, second = [(await client.post(TOKEN, data=FORM)).json()["access_token"] for _ in range(2)]

    assert first != second


async def test_a_client_may_name_itself_by_basic_authentication(url: str) -> None:
    form = {"grant_type": "client_credentials", "scope": "OR.Tasks"}

    async with httpx.AsyncClient(base_url=url) as client:
        assert (await client.post(TOKEN, data=form, auth=("app", "s"))).status_code == 200


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"client_secret": ""}, "invalid_client"),
        ({"client_id": ""}, "invalid_client"),
        ({"scope": "OR.Tasks offline_access"}, "invalid_scope"),
    ],
)
async def test_a_form_that_is_refused(client: httpx.AsyncClient, change: dict[str, str], error: str) -> None:
    response = await client.post(TOKEN, data={**FORM, **change})

    assert (response.status_code, response.json()) == (400, {"error": error})


async def test_basic_authentication_that_is_not_ascii_is_no_client(url: str) -> None:
    form = {"grant_type": "client_credentials"}
    async with httpx.AsyncClient(base_url=url) as anyone:
        response = await anyone.post(TOKEN, data=form, headers=[(b"Authorization", "Basic Zürich".encode())])

    assert (response.status_code, response.json()) == (400, {"error": "invalid_client"})


async def test_json_instead_of_a_form_gets_a_page(client: httpx.AsyncClient) -> None:
    response = await client.post(TOKEN, json=FORM)

    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize("prefix", ["", "/acme/Default/orchestrator_"])
async def test_a_password_gets_a_token(url: str, prefix: str) -> None:
    login = {"tenancyName": "Default", "usernameOrEmailAddress": "ada", "password": "p"}

    async with httpx.AsyncClient(base_url=url) as client:
        answer = (await client.post(f"{prefix}{LOGIN}", json=login)).json()

    assert answer["success"] is True
    assert answer["result"]


@pytest.mark.parametrize("login", [{}, {"usernameOrEmailAddress": "ada"}, {"password": "p"}])
async def test_a_login_that_lacks_something(client: httpx.AsyncClient, login: dict[str, str]) -> None:
    assert (await client.post(LOGIN, json=login)).status_code == 400
