"""The table of operations. Source: Atlassian's OpenAPI definition for Cloud, the REST reference of Data Center."""

from bridge.sandbox.jira.endpoints import (
    catalog,
    comments,
    issues,
    links,
    people,
    search,
    searching_by_page,
    transitions,
    webhooks,
)

OPERATIONS = (
    *issues.OPERATIONS,
    *transitions.OPERATIONS,
    *comments.OPERATIONS,
    *links.OPERATIONS,
    *search.OPERATIONS,
    *searching_by_page.OPERATIONS,
    *people.OPERATIONS,
    *catalog.OPERATIONS,
    *webhooks.OPERATIONS,
)
