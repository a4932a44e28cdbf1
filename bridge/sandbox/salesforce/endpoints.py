"""The operations of the REST API that a ticket bridge uses, and the token endpoint. Source: the REST API guide."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from starlette.responses import Response

from bridge.sandbox.salesforce import failures, selecting, soql
from bridge.sandbox.salesforce.operation import Call, Operation, json_response
from bridge.sandbox.salesforce.records import USER_ID
from bridge.sandbox.salesforce.schema import Field, SObject, label
from bridge.sandbox.salesforce.times import parsed_time, rest_time
from bridge.sandbox.salesforce.values import written

VERSIONS = ("59.0", "60.0", "61.0", "62.0")
"""The versions that are listed; any is answered."""
_BATCH_SIZE = re.compile(r"batchSize\s*=\s*([1-9][0-9]{0,5})\b", re.IGNORECASE)
_UPDATED_KEPT = timedelta(days=30)
_DELETED_KEPT = timedelta(days=15)


def token(call: Call) -> Response:
    """A new session; nothing says how long it will last."""
    org, now = call.org, call.org.clock()
    org.app.check(call.form(), call.request.headers.get("authorization", ""), now, call.own_url)
    return json_response(
        {
            "access_token": org.sessions.start(),
            "instance_url": call.own_url,
            "id": f"{call.own_url}/id/{org.organization_id}/{USER_ID}",
            "token_type": "Bearer",
            "issued_at": str(int(now.timestamp() * 1000)),
            "scope": "api",
        }
    )


def versions(_call: Call) -> Response:
    """The only resource that needs no session."""
    return json_response([{"label": v, "url": f"/services/data/v{v}", "version": v} for v in VERSIONS])


def limits(call: Call) -> Response:
    """Of the many limits the one that a client of the REST API meets."""
    usage = call.org.usage
    return json_response({"DailyApiRequests": {"Max": usage.limit, "Remaining": usage.limit - usage.used}})


def sobjects(call: Call) -> Response:
    """The objects of the org."""
    described = [_summary(sobject, call.root) for sobject in call.org.schema]
    return json_response({"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": described})


def describe(call: Call) -> Response:
    """An object with its fields."""
    sobject = call.sobject()
    fields = [_described(field, sobject, call.org.statuses) for field in sobject.fields]
    return json_response({**_summary(sobject, call.root), "fields": fields})


def query(call: Call) -> Response:
    """The records that a query finds, without the deleted ones."""
    return _query(call, deleted=False)


def query_all(call: Call) -> Response:
    """The records that a query finds, with those in the recycle bin."""
    return _query(call, deleted=True)


def query_more(call: Call) -> Response:
    """The next page of a query."""
    return json_response(call.org.cursors.page(call.path("locator"), f"{call.root}/query"))


def retrieve(call: Call) -> Response:
    """A record with all its fields, or with those that are asked for."""
    sobject, record = _record(call)
    asked = call.parameter("fields")
    fields = [sobject.field(name.strip()) for name in asked.split(",")] if asked else sobject.fields
    return json_response(_shown(sobject, record, [field.name for field in fields], call.root))


def create(call: Call) -> Response:
    """A new record; its id is answered."""
    sobject = call.sobject()
    record = call.org.create(sobject, _given(sobject, call.json()))
    return json_response({"id": record["Id"], "success": True, "errors": []}, 201)


def update(call: Call) -> Response:
    """Change the given fields."""
    sobject, record = _record(call)
    call.org.change(record["Id"], _given(sobject, call.json()))
    return Response(status_code=204)


def delete(call: Call) -> Response:
    """Put a record into the recycle bin."""
    _, record = _record(call)
    call.org.delete(record["Id"])
    return Response(status_code=204)


def updated(call: Call) -> Response:
    """The ids of what was created or changed in a span of the last 30 days, by `SystemModstamp`; both ends count."""
    sobject = call.sobject()
    start, end = _span(call, _UPDATED_KEPT)
    rows = call.org.store.of(sobject)
    ids = [row["Id"] for row in rows if _inside(start, parsed_time(row.get("SystemModstamp", "")), end)]
    return json_response({"ids": ids, "latestDateCovered": rest_time(end)})


def deleted(call: Call) -> Response:
    """What was deleted in a span of the last 15 days; both ends count."""
    sobject = call.sobject()
    start, end = _span(call, _DELETED_KEPT)
    found = [gone for gone in call.org.store.deletions(sobject) if _inside(start, gone.at, end)]
    return json_response(
        {
            "deletedRecords": [{"id": gone.record_id, "deletedDate": rest_time(gone.at)} for gone in found],
            "earliestDateAvailable": rest_time(call.org.now() - _DELETED_KEPT),
            "latestDateCovered": rest_time(end),
        }
    )


_DATA = "/services/data/{version}"
OPERATIONS = (
    Operation("token", "POST", "/services/oauth2/token", token, signed_in=False),
    Operation("versions", "GET", "/services/data", versions, signed_in=False),
    Operation("limits", "GET", f"{_DATA}/limits", limits),
    Operation("query", "GET", f"{_DATA}/query", query),
    Operation("queryAll", "GET", f"{_DATA}/queryAll", query_all),
    Operation("queryMore", "GET", f"{_DATA}/query/{{locator}}", query_more),
    Operation("queryMore", "GET", f"{_DATA}/queryAll/{{locator}}", query_more),
    Operation("sobjects", "GET", f"{_DATA}/sobjects", sobjects),
    Operation("create", "POST", f"{_DATA}/sobjects/{{object}}", create),
    Operation("describe", "GET", f"{_DATA}/sobjects/{{object}}/describe", describe),
    Operation("updated", "GET", f"{_DATA}/sobjects/{{object}}/updated", updated),
    Operation("deleted", "GET", f"{_DATA}/sobjects/{{object}}/deleted", deleted),
    Operation("sobject", "GET", f"{_DATA}/sobjects/{{object}}/{{id}}", retrieve),
    Operation("update", "PATCH", f"{_DATA}/sobjects/{{object}}/{{id}}", update),
    Operation("delete", "DELETE", f"{_DATA}/sobjects/{{object}}/{{id}}", delete),
)


def _query(call: Call, *, deleted: bool) -> Response:
    asked = soql.read(call.parameter("q"))
    sobject = call.org.schema.find(asked.sobject)
    if sobject is None:
        raise failures.type_unknown(asked.sobject)
    names = selecting.names(asked, sobject)
    rows = selecting.matching(asked, sobject, call.org.store.of(sobject, deleted=deleted))
    if not names:
        return json_response({"totalSize": len(rows), "done": True, "records": []})
    shown = [_shown(sobject, row, names, call.root) for row in rows]
    return json_response(call.org.cursors.first_page(shown, _page_size(call), f"{call.root}/query"))


def _page_size(call: Call) -> int:
    """What the caller asks for, up to the org's own size. A real org gives 200 at least; here small pages can be tried."""
    asked = _BATCH_SIZE.search(call.request.headers.get("sforce-query-options", ""))
    return min(int(asked.group(1)), call.org.page_size) if asked else call.org.page_size


def _record(call: Call) -> tuple[SObject, Mapping[str, Any]]:
    """The record that the path names; one of another object is not there."""
    sobject, record_id = call.sobject(), call.path("id")
    if not record_id.startswith(sobject.key_prefix):
        raise failures.record_unknown(record_id)
    return sobject, call.org.store.live(record_id)


def _given(sobject: SObject, body: Mapping[str, Any]) -> dict[str, Any]:
    """The fields to write, in the schema's spelling."""
    if sobject.name == "CaseStatus":
        raise failures.Failure(400, "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "entity type CaseStatus cannot be written")
    return dict(_writable(sobject, name, value) for name, value in body.items() if name != "attributes")


def _writable(sobject: SObject, name: str, value: Any) -> tuple[str, Any]:
    field = sobject.field(name)
    if field.read_only:
        raise failures.field_read_only(field.name)
    return field.name, written(field, value)


def _span(call: Call, kept: timedelta) -> tuple[datetime, datetime]:
    """The asked span, its end not in the future."""
    start, end = _moment(call, "start"), _moment(call, "end")
    now = call.org.now()
    if start < now - kept:
        raise failures.unfit_period(f"startDate before org's earliest date: at most {kept.days} days can be asked for")
    if start >= end:
        raise failures.unfit_period("endDate must be later than startDate")
    return start, min(end, now)


def _moment(call: Call, name: str) -> datetime:
    moment = parsed_time(call.parameter(name))
    if moment is None:
        message = f"{name} must be an ISO 8601 date and time with its zone; in a URL, + is written %2B"
        raise failures.unfit_period(message)
    return moment


def _inside(start: datetime, at: datetime | None, end: datetime) -> bool:
    return at is not None and start <= at <= end


def _shown(sobject: SObject, record: Mapping[str, Any], names: list[str], root: str) -> dict[str, Any]:
    """A record as it is answered."""
    attributes = {"type": sobject.name, "url": f"{root}/sobjects/{sobject.name}/{record['Id']}"}
    return {"attributes": attributes, **{name: record.get(name) for name in names}}


def _summary(sobject: SObject, root: str) -> dict[str, Any]:
    base = f"{root}/sobjects/{sobject.name}"
    writable = sobject.name != "CaseStatus"
    return {
        "name": sobject.name,
        "label": label(sobject.name),
        "keyPrefix": sobject.key_prefix,
        "custom": sobject.custom,
        "queryable": True,
        "createable": writable,
        "updateable": writable,
        "deletable": writable,
        "replicateable": writable,
        "urls": {"sobject": base, "describe": f"{base}/describe", "rowTemplate": f"{base}/{{ID}}"},
    }


def _described(field: Field, sobject: SObject, statuses: Mapping[str, bool]) -> dict[str, Any]:
    picklist = statuses if (sobject.name, field.name) == ("Case", "Status") else {}
    return {
        "name": field.name,
        "type": "string" if field.type == "anyType" else field.type,
        "label": field.label,
        "nillable": field.nillable,
        "createable": not field.read_only,
        "updateable": not field.read_only,
        "custom": field.name.endswith("__c"),
        "picklistValues": [{"value": name, "label": name, "active": True} for name in picklist],
    }
