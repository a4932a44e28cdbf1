"""Bodies that real Jiras sent: each is accepted, none is parked, and each is explained."""

import os
from pathlib import Path

import orjson
import pytest

from bridge.explain import explain
from bridge.model import DeliveryState
from bridge.service import followers
from tests.driving import bridge_running, configured, until
from tests.values import NOW

PAYLOADS = Path(os.environ.get("BRIDGE_PAYLOADS", Path(__file__).parents[2] / "shared" / "payloads"))
JIRA = sorted((PAYLOADS / "jira").rglob("*.json"))
EVERYTHING = [{"name": "everything", "source": "jira"}]

pytestmark = pytest.mark.skipif(not JIRA, reason="REAL PAYLOADS ARE NOT TESTED: they are not part of the project")


@pytest.mark.anyio
async def test_every_payload_is_accepted_and_none_is_parked(tmp_path: Path) -> None:
    async with bridge_running(configured(tmp_path, routes=EVERYTHING)) as bridge:
        for payload in JIRA:
            assert (await bridge.hook(payload.read_bytes())).status_code == 202, payload.name

        async def all_judged() -> bool:
            return not await bridge.deliveries(state="pending")

        await until(all_judged, "every delivery is judged")
        assert await bridge.deliveries(state="parked") == []
        ignored = await bridge.deliveries(state="ignored")
        assert ignored
        assert all(delivery["reason"] for delivery in ignored)


@pytest.mark.parametrize("payload", JIRA, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_payload_is_explained(payload: Path, tmp_path: Path) -> None:
    """What is said is true: it is compared with the body, read by other means."""
    config = configured(
        tmp_path, routes=[{"name": "bugs", "source": "jira", "when": 'ticket.type == "Bug"'}, *EVERYTHING]
    )
    body = payload.read_bytes()
    said = explain(config, followers(config)["jira"], body, NOW)
    message = orjson.loads(body)
    if "issue" not in message:
        assert said["outcome"] == DeliveryState.IGNORED
        assert "issue" in said["reason"] or "comment" in said["reason"]
        return
    fields = message["issue"].get("fields") or {}
    assert said["outcome"] == "applied"
    assert said["ticket"]["key"] == message["issue"]["key"]
    assert said["ticket"]["status"] == (fields.get("status") or {}).get("name")
    takes = [route["name"] for route in said["routes"] if route["selects"]]
    assert takes == (["bugs", "everything"] if (fields.get("issuetype") or {}).get("name") == "Bug" else ["everything"])
    done = ((fields.get("status") or {}).get("statusCategory") or {}).get("key") == "done"
    ended = done or message.get("webhookEvent") == "jira:issue_deleted"
    assert [step["url"].rsplit("/", 1)[1] for step in said["steps"]] == (["CompleteTask"] if ended else ["CreateTask"])
