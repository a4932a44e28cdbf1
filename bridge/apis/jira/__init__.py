"""Jira's REST API, Cloud and Data Center: how they are asked is the same, what they can be asked is not."""

from bridge.apis.jira.client import JiraClient, is_cloud
from bridge.apis.jira.cloud import JiraCloud
from bridge.apis.jira.data_center import JiraDataCenter
from bridge.apis.jira.tickets import JiraTickets

__all__ = ["JiraClient", "JiraCloud", "JiraDataCenter", "JiraTickets", "is_cloud"]
