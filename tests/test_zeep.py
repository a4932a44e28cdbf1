"""A SOAP client that knows only Salesforce's WSDL calls the bridge as Salesforce does, and understands its answer."""

import asyncio
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import zeep
from zeep.exceptions import Fault

from tests.driving import bridge_running, configured, judged

PAYLOADS = Path(os.environ.get("BRIDGE_PAYLOADS", Path(__file__).parents[2] / "shared" / "payloads"))
WSDL = PAYLOADS / "salesforce" / "php-arsenal-bundle" / "DiscountRule__c.wsdl"

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(not WSDL.exists(), reason="NO SOAP CLIENT IS TESTED: the WSDL is not part of the project"),
]

ORG = "00DD0000000muCUMAY"
RULE = "a025700000OPgOjAAL"
CRM = {"type": "salesforce", "secrets": ["t0ken"], "organization_id": ORG, "object": "DiscountRule__c"}
ROUTES = [{"name": "rules", "source": "crm", "task": {"catalog": "Tickets"}}]


OUT = "{http://soap.sforce.com/2005/09/outbound}"
XSI_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"


class TypedRecords(zeep.Plugin):
    """Salesforce always writes which object a record is; zeep leaves out a type that the WSDL tells already."""

    def egress(self, envelope: Any, http_headers: Any, operation: Any, binding_options: Any) -> Any:
        del operation, binding_options
        for record in envelope.iter(f"{OUT}sObject"):
            prefix = next(name for name, uri in record[0].nsmap.items() if uri.startswith("urn:sobject."))
            record.set(XSI_TYPE, f"{prefix}:DiscountRule__c")
        return envelope, http_headers


def call(url: str, organization: str, *records: dict[str, Any]) -> Any:
    """Call the operation `notifications` as the WSDL says; zeep knows the answer's type from there, too."""
    untyped: Any = zeep
    client = untyped.Client(str(WSDL), plugins=[TypedRecords()])
    return client.create_service(f"{OUT}NotificationBinding", url).notifications(
        OrganizationId=organization,
        ActionId="04k57000000TOUIAA4",
        SessionId=untyped.xsd.Nil,
        EnterpriseUrl="https://acme.my.salesforce.com/services/Soap/c/61.0/00DD0000000muCU",
        PartnerUrl="https://acme.my.salesforce.com/services/Soap/u/61.0/00DD0000000muCU",
        Notification=[{"Id": f"04l57000017{number:04}AAM", "sObject": record} for number, record in enumerate(records)],
    )


def a_rule(record_id: str = RULE, **fields: Any) -> dict[str, Any]:
    changed = datetime(2026, 1, 2, 10, tzinfo=UTC)
    told = {"Name": "24 Months", "IsDeleted": False, "Price__c": 419.0, "LastModifiedDate": changed}
    return {"Id": record_id, **told, **fields}


async def test_a_soap_client_gets_its_ack_and_the_record_is_linked(tmp_path: Path) -> None:
    async with bridge_running(configured(tmp_path, sources={"crm": CRM}, routes=ROUTES)) as bridge:
        ack = await asyncio.to_thread(call, f"{bridge.url}/hooks/crm?token=t0ken", ORG, a_rule())
        assert ack is True
        (delivery,) = await judged(bridge)
        assert (delivery["ticket_id"], delivery["event"], delivery["state"]) == (RULE, "outbound_message", "applied")
        (link,) = await bridge.links()
        assert (link["ticket_key"], link["ticket_state"], link["route"]) == ("24 Months", "open", "rules")
        assert link["ticket_url"] == f"https://acme.my.salesforce.com/{RULE}"


async def test_several_records_get_one_ack(tmp_path: Path) -> None:
    other = "a025700000OPgOkAAL"
    async with bridge_running(configured(tmp_path, sources={"crm": CRM}, routes=ROUTES)) as bridge:
        url = f"{bridge.url}/hooks/crm?token=t0ken"
        rules = a_rule(Name="R&D <24> Müller"), a_rule(other, IsDeleted=True)
        assert await asyncio.to_thread(call, url, ORG, *rules) is True
        assert await asyncio.to_thread(call, url, ORG, *rules) is True  # Salesforce repeats what it holds for lost
        assert [delivery["ticket_id"] for delivery in await judged(bridge)] == [RULE, other]
        states = {link["ticket_key"]: link["ticket_state"] for link in await bridge.links()}
        assert states == {"R&D <24> Müller": "open", "24 Months": "deleted"}


async def test_a_record_of_another_object_gets_its_ack_and_is_ignored_with_its_reason(tmp_path: Path) -> None:
    sources = {"crm": {**CRM, "object": "Case"}}
    async with bridge_running(configured(tmp_path, sources=sources, routes=ROUTES)) as bridge:
        assert await asyncio.to_thread(call, f"{bridge.url}/hooks/crm?token=t0ken", ORG, a_rule()) is True
        (delivery,) = await judged(bridge)
        assert delivery["state"] == "ignored"
        assert delivery["reason"] == "its record is of the object DiscountRule__c; this source takes Case"
        assert await bridge.links() == []


@pytest.mark.parametrize(
    ("path", "organization", "told"),
    [
        ("/hooks/crm?token=wrong", ORG, "token"),
        ("/hooks/crm", ORG, "token"),
        ("/hooks/crm?token=t0ken", "00DD0000000XXXXEAW", "OrganizationId"),
    ],
)
async def test_a_refusal_is_a_fault_that_a_soap_client_understands(
    tmp_path: Path, path: str, organization: str, told: str
) -> None:
    async with bridge_running(configured(tmp_path, sources={"crm": CRM}, routes=ROUTES)) as bridge:
        with pytest.raises(Fault) as fault:
            await asyncio.to_thread(call, f"{bridge.url}{path}", organization, a_rule())
        assert fault.value.code == "soapenv:Client"
        assert told in fault.value.message
        assert await bridge.deliveries() == []
