"""The bridge: keeps Jira and Salesforce tickets and UiPath Orchestrator tasks in step."""

__version__ = "0.1.0"
