"""Atlassian's document format, in which version 3 of the REST API takes and shows long texts. Only the text itself is kept."""

from collections.abc import Mapping
from typing import Any

_BLOCKS = frozenset({"paragraph", "heading", "codeBlock", "blockquote", "listItem", "rule", "tableRow"})
MAX_DEPTH = 100


def document(text: str | None) -> dict[str, Any] | None:
    """A text as a document: a paragraph for each of its lines."""
    if text is None:
        return None
    return {"type": "doc", "version": 1, "content": [_paragraph(line) for line in text.split("\n")]}


def is_document(value: Any) -> bool:
    """Whether Jira would take it."""
    return (
        isinstance(value, Mapping)
        and value.get("type") == "doc"
        and value.get("version") == 1
        and isinstance(value.get("content"), list)
    )


def text(value: Mapping[str, Any]) -> str:
    """What a document says, line by line."""
    return _said(value, 0).strip("\n")


def _paragraph(line: str) -> dict[str, Any]:
    return {"type": "paragraph", "content": [{"type": "text", "text": line}] if line else []}


def _said(node: Any, depth: int) -> str:
    if not isinstance(node, Mapping) or depth > MAX_DEPTH:
        return ""
    if node.get("type") == "text":
        return str(node.get("text", ""))
    if node.get("type") == "hardBreak":
        return "\n"
    content = node.get("content")
    said = "".join(_said(child, depth + 1) for child in content) if isinstance(content, list) else ""
    return f"{said}\n" if node.get("type") in _BLOCKS and not said.endswith("\n") else said
