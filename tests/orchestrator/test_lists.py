"""Lists are read page by page, to their end and no further, on servers with good and bad manners."""

import pytest
from starlette.requests import Request
from starlette.responses import Response

from bridge.errors import Rejected
from bridge.orchestrator import literal
from tests.orchestrator.standing_in import StandIn, json, standing_in

pytestmark = pytest.mark.anyio


def pages_of(total: int, *, size: int = 1000, skips: bool = True, shown: tuple[str, ...] = ("Id", "Title")) -> StandIn:
    """A server with so many items, that gives at most `size` at once, and may not know `$skip`."""

    def answer(request: Request) -> Response:
        skip = int(request.query_params.get("$skip", 0)) if skips else 0
        top = min(int(request.query_params["$top"]), size)
        items = [{"Id": number, "Title": f"t{number}"} for number in range(total)][skip : skip + top]
        return json({"@odata.count": total, "value": [{name: item[name] for name in shown} for item in items]})

    return StandIn(answer)


@pytest.mark.parametrize("total", [0, 1, 999, 1000, 1001, 2500])
async def test_everything_is_read_once(total: int) -> None:
    server = pages_of(total)
    async with standing_in(server) as orchestrator:
        numbers = [task["Id"] async for task in orchestrator.tasks.across_folders(orderby="Id")]
    assert numbers == list(range(total))


@pytest.mark.parametrize(("skip", "top", "expected"), [(0, 5, 5), (3, 1500, 1500), (2400, 500, 100), (0, 0, 0)])
async def test_top_is_the_most_in_all_and_skip_what_is_left_out(skip: int, top: int, expected: int) -> None:
    server = pages_of(2500)
    async with standing_in(server) as orchestrator:
        numbers = [task["Id"] async for task in orchestrator.tasks.across_folders(skip=skip, top=top)]
    assert numbers == list(range(skip, skip + expected))


async def test_a_server_that_gives_more_than_asked_for_is_not_listened_to() -> None:
    server = StandIn(lambda _: json({"value": [{"Id": number} for number in range(9)]}))
    async with standing_in(server) as orchestrator:
        assert [task["Id"] async for task in orchestrator.tasks.across_folders(top=2)] == [0, 1]


async def test_a_list_can_be_read_again() -> None:
    async with standing_in(pages_of(3)) as orchestrator:
        listing = orchestrator.catalogs.list(folder=1)
        assert [each async for each in listing] == [each async for each in listing]


async def test_a_page_and_the_count_of_all() -> None:
    async with standing_in(pages_of(2500)) as orchestrator:
        page = await orchestrator.tasks.across_folders(top=2, skip=1).page(count=True)
    assert ([item["Id"] for item in page.items], page.count) == ([1, 2], 2500)


async def test_shorter_pages_than_asked_for_are_not_the_end() -> None:
    async with standing_in(pages_of(35, size=10)) as orchestrator:
        assert len([task async for task in orchestrator.tasks.across_folders()]) == 35


@pytest.mark.parametrize("shown", [("Id",), ("Title",)], ids=["with ids", "without"])
async def test_a_server_that_does_not_know_skip_ends(shown: tuple[str, ...]) -> None:
    async with standing_in(pages_of(2500, skips=False, shown=shown)) as orchestrator:
        assert len([task async for task in orchestrator.tasks.across_folders(select=shown)]) == 1000


async def test_a_list_whose_ids_are_not_selected_is_read_to_its_end() -> None:
    async with standing_in(pages_of(2500, shown=("Title",))) as orchestrator:
        titles = [task["Title"] async for task in orchestrator.tasks.across_folders(select="Title")]
    assert titles == [f"t{number}" for number in range(2500)]


async def test_an_error_on_a_later_page_is_raised_there() -> None:
    def answer(request: Request) -> Response:
        if "$skip" in request.query_params:
            return json({"message": "too far", "errorCode": 1000}, 400)
        return json({"value": [{"Id": 1}]})

    async with standing_in(StandIn(answer)) as orchestrator:
        tasks = aiter(orchestrator.tasks.across_folders())
        assert await anext(tasks) == {"Id": 1}
        with pytest.raises(Rejected, match="too far"):
            await anext(tasks)


async def test_the_account_s_folders_are_read_to_their_end() -> None:
    def answer(request: Request) -> Response:
        skip, take = int(request.query_params["skip"]), int(request.query_params["take"])
        return json({"PageItems": [{"Id": n} for n in range(1200)][skip : skip + take], "Count": 1200})

    async with standing_in(StandIn(answer)) as orchestrator:
        folders = [folder["Id"] async for folder in orchestrator.folders.for_current_user()]
        page = await orchestrator.folders.for_current_user().page(skip=5, take=1)
    assert folders == list(range(1200))
    assert (page.items, page.count) == ([{"Id": 5}], 1200)


@pytest.mark.parametrize("text", ["it's", "a&b=c#d?e", "50 % + ü", "'' or 1 eq 1", '\\\n\t"', "日本"])
async def test_a_text_in_a_filter_arrives_as_it_is(text: str) -> None:
    server = pages_of(0)
    async with standing_in(server) as orchestrator:
        await orchestrator.tasks.across_folders(filter=f"ExternalTag eq {literal(text)}").page()
    doubled = text.replace("'", "''")
    assert server.asked[0].path.endswith(f"?$filter=ExternalTag eq '{doubled}'&$top=1000")
