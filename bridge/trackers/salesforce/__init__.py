"""Salesforce: outbound messages (SOAP), callouts and change events (JSON), records of the REST API."""

from bridge.trackers.salesforce.ids import is_true_id, normal_id
from bridge.trackers.salesforce.messages import is_json
from bridge.trackers.salesforce.tracker import STANDARD_FIELDS, Salesforce

__all__ = ["STANDARD_FIELDS", "Salesforce", "is_json", "is_true_id", "normal_id"]
