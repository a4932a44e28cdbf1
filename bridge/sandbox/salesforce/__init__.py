"""A Salesforce org for this machine: the REST API with its SOQL and its errors, OAuth sessions, and outbound messages.

It stands on the published guides, on real messages and on what clients of the real one expect; where no source settles a
behaviour, the docstring at the place says what was chosen. Everything is kept in memory.
"""

from bridge.sandbox.salesforce.app import create_app
from bridge.sandbox.salesforce.delivering import Delivered
from bridge.sandbox.salesforce.failures import Failure
from bridge.sandbox.salesforce.faults import Fault
from bridge.sandbox.salesforce.org import SimulatedSalesforce
from bridge.sandbox.salesforce.outbound import MessageOptions, Notification
from bridge.sandbox.salesforce.serve import salesforce_serving

__all__ = [
    "Delivered",
    "Failure",
    "Fault",
    "MessageOptions",
    "Notification",
    "SimulatedSalesforce",
    "create_app",
    "salesforce_serving",
]
