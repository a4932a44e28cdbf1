"""Reading pages in tests, without a browser."""

from html.parser import HTMLParser
from typing import Any

import httpx

VOID = {"meta", "link", "input", "br"}


class Parsed(HTMLParser):
    """A page's text by element, its links and its forms; fails on markup that does not nest."""

    def __init__(self, response: httpx.Response) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: list[tuple[str, str]] = []
        self.links: list[str] = []
        self.forms: list[dict[str, Any]] = []
        self.ids: list[str] = []
        self.hidden: dict[str, str] = {}
        assert response.headers["content-type"] == "text/html; charset=utf-8"
        self.feed(response.text)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.ids += [found["id"] or ""] if "id" in found else []
        if tag == "a":
            self.links.append(found["href"] or "")
        if tag == "form":
            self.forms.append({**found, "fields": {}})
        if tag == "input" and found.get("type") == "hidden":
            self.hidden[found["name"] or ""] = found["value"] or ""
        elif tag in ("input", "select", "textarea"):
            assert "label" in self.open, "every field has a label"
            self.forms[-1]["fields"][found["name"]] = found.get("value", "")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and data.strip():
            self.texts.append((self.open[-1], " ".join(data.split())))

    def of(self, tag: str) -> list[str]:
        return [text for where, text in self.texts if where == tag]
