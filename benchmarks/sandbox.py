"""`python -m benchmarks.sandbox`: how quick the sandbox is with many tasks in it, over a real socket.

Creating should cost the same for the last task as for the first, and a filtered page should come within 50 ms.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Mapping

import httpx

from benchmarks.load import run
from bridge.sandbox.orchestrator import NewTask, World, sandbox_serving

ACROSS = "/odata/Tasks/UiPath.Server.Configuration.OData.GetTasksAcrossFolders"
HEADERS = {"Authorization": "Bearer bench", "X-UIPATH-OrganizationUnitId": "1"}
PAGES: Mapping[str, Mapping[str, str]] = {
    "open tasks of a tag, 100 of them": {
        "$filter": "(Type eq 'ExternalTask') and (IsDeleted eq false) and (ExternalTag eq 'JIRA') and (Status ne 'Completed')",
        "$top": "100",
    },
    "contains(tolower(Title), …), newest first, 100": {
        "$filter": "contains(tolower(Title), 'ticket 9')",
        "$orderby": "CreationTime desc",
        "$top": "100",
    },
    "a page of 1000 with three users expanded": {
        "$expand": "AssignedToUser,CreatorUser,LastModifierUser",
        "$filter": "OrganizationUnitId eq 1",
        "$orderby": "Id desc",
    },
    "one task by ParentOperationId": {"$filter": "ParentOperationId eq 'op-77'"},
}


def fill(world: World, tasks: int) -> None:
    """So many tasks, not over the wire."""
    for number in range(tasks):
        tag = "JIRA" if number % 2 else "Salesforce"
        world.create_task(NewTask(title=f"Ticket {number}", external_tag=tag, parent_operation_id=f"op-{number}"))


async def creating(client: httpx.AsyncClient, rounds: int) -> float:
    """The median of creating one, in milliseconds."""
    taken = []
    for number in range(rounds):
        body = {"title": f"Another {number}", "externalTag": "JIRA", "data": {"number": number}}
        started = time.perf_counter()
        response = await client.post("/tasks/GenericTasks/CreateTask", json=body)
        taken.append((time.perf_counter() - started) * 1000)
        assert response.status_code == 201, response.text
    return statistics.median(taken)


async def pages(client: httpx.AsyncClient, rounds: int) -> dict[str, float]:
    """The median of every page in milliseconds."""
    found = {}
    for name, options in PAGES.items():
        taken = []
        for _ in range(rounds):
            started = time.perf_counter()
            response = await client.get(ACROSS, params=options)
            taken.append((time.perf_counter() - started) * 1000)
            assert response.status_code == 200, response.text
        found[name] = statistics.median(taken)
    return found


async def measure(tasks: int, rounds: int) -> str:
    """The table."""
    world = World()
    async with sandbox_serving(world) as url, httpx.AsyncClient(base_url=url, headers=HEADERS) as client:
        empty = await creating(client, rounds * 10)
        fill(world, tasks)
        full = await creating(client, rounds * 10)
        listed = await pages(client, rounds)
    lines = [f"{tasks} tasks in the sandbox; medians, the client's time included", ""]
    lines.append(f"{'creating one in an empty sandbox':52}{empty:8.2f} ms")
    lines.append(f"{'creating one in the full sandbox':52}{full:8.2f} ms")
    lines += [f"{name:52}{taken:8.2f} ms" for name, taken in listed.items()]
    return "\n".join(lines)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sandbox", description=__doc__)
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=15, help="of every page; ten times as many of creating")
    chosen = parser.parse_args()
    sys.stdout.write(run(measure(chosen.tasks, chosen.rounds)) + "\n")


if __name__ == "__main__":
    main()
