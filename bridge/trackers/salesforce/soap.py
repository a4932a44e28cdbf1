"""Outbound messages: the SOAP envelope, read by a hardened parser in bounded memory and time.

No DTD and no entity is accepted, and the tree that is built stays within bounds whatever the body holds. Only local names count, so any
prefix will do. Source: Salesforce's "Outbound Messaging" pages. The `SessionId`, a live credential, is not even kept in memory.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser, ParseError

from bridge.errors import MalformedBody

MOST_NOTIFICATIONS = 100
"""Of one message, by Salesforce's documentation."""

_DEEPEST = 16
_MOST_NAMES = 100_000
_LONGEST_NAMESPACE = 200
_PIECE = 64 * 1024
_DECLARED_ENCODING = re.compile(
    rb"(?:\xef\xbb\xbf|\xff\xfe|\xfe\xff)?<\?xml[^>]{0,100}?encoding\s*=\s*[\"']([A-Za-z0-9._-]*)[\"']"
)
_ENCODINGS = (b"utf-8", b"utf-16", b"us-ascii", b"iso-8859-1", b"windows-1252")
_NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"
_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"
_NOT_READ = "SessionId"


@dataclass(frozen=True, slots=True)
class Notification:
    """One record's change. `record` is None if the record was deleted before the message was sent."""

    id: str | None
    object: str | None
    record: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class OutboundMessage:
    """What one request carries. `instance_url` is the org's address, as far as the message tells it."""

    organization_id: str | None
    instance_url: str | None
    notifications: list[Notification]


@dataclass(slots=True)
class _Element:
    name: str  # without its namespace
    attributes: dict[str, str]
    children: list["_Element"] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(self.texts)

    def child(self, name: str) -> "_Element | None":
        return next(self.all(name), None)

    def all(self, name: str) -> Iterator["_Element"]:
        return (child for child in self.children if child.name == name)


def read_outbound_message(body: bytes) -> OutboundMessage | str:
    """The message in a body, or the name of what is in it instead. Raises `MalformedBody`."""
    root = _parse(body)
    content = root
    if root.name == "Envelope" and (inside := root.child("Body")) is not None and inside.children:
        content, *more = inside.children
        if more:
            raise MalformedBody("the SOAP body holds more than one element")
    if content.name != "notifications":
        return content.name
    return OutboundMessage(
        organization_id=_text_of(content, "OrganizationId"),
        instance_url=_origin(_text_of(content, "EnterpriseUrl") or _text_of(content, "PartnerUrl")),
        notifications=[_notification(element) for element in content.all("Notification")],
    )


def _notification(element: _Element) -> Notification:
    records = list(element.all("sObject"))
    if len(records) > 1:
        raise MalformedBody("a notification holds more than one sObject")
    record = records[0] if records else None
    if record is None or _is_nil(record):
        return Notification(_text_of(element, "Id"), None, None)
    kind = record.attributes.get(_TYPE, "").rpartition(":")[2] or None
    return Notification(_text_of(element, "Id"), kind, _values(record))


def _values(element: _Element) -> dict[str, Any]:
    return {child.name: _value(child) for child in element.children}


def _value(element: _Element) -> Any:
    """`true` and `false` become what they are in JSON; a number stays a text, because a case's number is one, too."""
    if _is_nil(element):
        return None
    if element.children:
        return _values(element)
    return {"true": True, "false": False}.get(element.text, element.text)


def _is_nil(element: _Element) -> bool:
    return element.attributes.get(_NIL) in ("true", "1")


def _text_of(element: _Element, name: str) -> str | None:
    child = element.child(name)
    return (child.text.strip() or None) if child is not None else None


def _origin(url: str | None) -> str | None:
    try:
        parts = urlsplit(url or "")
    except ValueError:
        return None
    return f"{parts.scheme}://{parts.netloc}" if parts.scheme in ("http", "https") and parts.netloc else None


# -- the parser --------------------------------------------------------------------------------------------------------------------


def _parse(body: bytes) -> _Element:
    _check_encoding(body)
    tree = _Tree()
    try:
        parser = DefusedXMLParser(target=tree, forbid_dtd=True)
        parser.parser.StartNamespaceDeclHandler = _check_namespace
        _feed(parser, tree, body)
        parser.close()
    except ParseError as error:
        raise MalformedBody(f"the body is not well-formed XML: {error}") from None
    except DefusedXmlException:
        raise MalformedBody("the body has a DTD or entities, which an outbound message never has") from None
    except (LookupError, ValueError) as error:
        raise MalformedBody(f"the body's encoding cannot be read: {error}") from None
    if tree.root is None:
        raise MalformedBody("the body is empty")
    return tree.root


def _feed(parser: Any, tree: "_Tree", body: bytes) -> None:
    """The body in pieces. A tag that goes on over more than two of them is longer than any of Salesforce's."""
    silent = 0
    for start in range(0, len(body), _PIECE):
        before = tree.events
        parser.feed(body[start : start + _PIECE])
        silent = 0 if tree.events > before else silent + 1
        if silent > 1:
            raise MalformedBody(f"the body has a tag or comment of more than {_PIECE} bytes")


def _check_encoding(body: bytes) -> None:
    """The parser would read any encoding that Python knows, and some of those are no encodings of a text."""
    declared = _DECLARED_ENCODING.match(body[:500].replace(b"\x00", b""))  # in UTF-16 every other byte of it is zero
    if declared and declared.group(1).lower() not in _ENCODINGS:
        raise MalformedBody("the body's encoding is none that Salesforce uses; send UTF-8")


def _check_namespace(_prefix: str | None, uri: str | None) -> None:
    """The parser puts the namespace in front of every name, so that a long one would be held as often as there are names."""
    if len(uri or "") > _LONGEST_NAMESPACE:
        raise MalformedBody(f"the body has a namespace of more than {_LONGEST_NAMESPACE} characters")


class _Tree:
    """Takes the parser's events; what is too deep, too many or not to be read ends or is left out at once."""

    def __init__(self) -> None:
        self.root: _Element | None = None
        self.events = 0
        self._open: list[_Element] = []
        self._names = 0
        self._notifications = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self.events += 1
        element = _Element(
            tag.rpartition("}")[2], {name: attributes[name] for name in (_NIL, _TYPE) if name in attributes}
        )
        self._names += 1 + len(attributes)
        self._notifications += element.name == "Notification"
        if len(self._open) >= _DEEPEST:
            raise MalformedBody(f"the body is nested more than {_DEEPEST} elements deep")
        if self._notifications > MOST_NOTIFICATIONS:
            raise MalformedBody(f"the message has more than {MOST_NOTIFICATIONS} notifications")
        if self._names > _MOST_NAMES:
            raise MalformedBody(f"the body has more than {_MOST_NAMES} elements and attributes")
        if self._open:
            self._open[-1].children.append(element)
        else:
            self.root = element
        self._open.append(element)

    def end(self, _tag: str) -> None:
        self.events += 1
        self._open.pop()

    def data(self, text: str) -> None:
        self.events += 1
        if self._open and self._open[-1].name != _NOT_READ:
            self._open[-1].texts.append(text)

    def close(self) -> None:
        """The parser asks for it."""
