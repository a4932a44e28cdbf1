"""Whether a webhook comes from whom it says: by a signature over the raw bytes, or by a shared token. Comparisons take constant time."""

import base64
import hmac
from collections.abc import Mapping, Sequence

from pydantic import SecretStr

from bridge.config import Source, WebhookSource
from bridge.errors import Refused

SIGNATURE = "X-Hub-Signature"
AUTHORIZATION = "Authorization"
_METHOD = "sha256"


def verify_token(source: Source, headers: Mapping[str, str], query: Mapping[str, str], path: str | None) -> None:
    """What can be judged before the body is read: a token in a header, the query or the path, and that there is a signature."""
    match source.verify:
        case "bearer":
            header = _header(source, AUTHORIZATION)
            form = "`Authorization: Bearer …`" if header == AUTHORIZATION else f"`{header}: …`"
            sent = _token(headers.get(header.lower(), ""), scheme=header == AUTHORIZATION)
            _compare(source, sent, where=f"the {header} header", remedy=f"send {form}")
        case "query":
            _compare(source, _in_query(query.get("token", "")), where="the address", remedy="add `?token=…`")
        case "path":
            sent = (path or "").encode(errors="replace")
            _compare(source, sent, where="the address", remedy="it is /hooks/NAME/TOKEN")
        case "hmac":
            header = _header(source, SIGNATURE)
            method, digest = _signature(headers, header)
            if not digest:
                raise Refused(f"the {header} header is missing: give the webhook its secret in the tracker")
            if method != _METHOD:
                raise Refused(f"{header} uses another method; only sha256 is accepted")


def verify_body(source: Source, headers: Mapping[str, str], body: bytes) -> None:
    """An HMAC-SHA256 signature over the raw bytes, by any of the secrets (W3C WebSub 8; Jira's webhook page)."""
    if source.verify != "hmac":
        return
    _, sent = _signature(headers, _header(source, SIGNATURE))
    macs = [hmac.digest(secret.get_secret_value().encode(), body, "sha256") for secret in source.secrets]
    if not any([_equals(sent, mac) for mac in macs]):  # noqa: C419 - every one is compared
        raise Refused(
            "the signature does not match: the webhook's secret in the tracker is none of this source's secrets"
        )


def as_sent(header: str) -> bytes:
    """A header's bytes; the server decoded them as Latin-1."""
    return header.encode("latin-1", errors="replace")


def _compare(source: Source, sent: bytes, *, where: str, remedy: str) -> None:
    """Tells a token that is missing from one that is wrong: which of the two it is, the sender knows anyway."""
    if not sent:
        raise Refused(f"{where} carries no token: {remedy}")
    if not _any_equal(sent, source.secrets):
        raise Refused(f"the token in {where} is none of this source's secrets")


def _in_query(token: str) -> bytes:
    """A token's bytes. A `+` that nobody encoded has become a space, and no secret worth its name holds spaces."""
    return token.replace(" ", "+").encode(errors="replace")


def _header(source: Source, default: str) -> str:
    given = source.header if isinstance(source, WebhookSource) else None
    return given if given and given.lower() != default.lower() else default


def _token(header: str, *, scheme: bool) -> bytes:
    """The token in a header: after the word Bearer in Authorization, which needs it; any other header may do without."""
    first, _, rest = header.strip().partition(" ")
    if first.lower() == "bearer":
        return as_sent(rest.strip())
    return b"" if scheme else as_sent(header.strip())


def _signature(headers: Mapping[str, str], header: str) -> tuple[str, str]:
    """Method and digest of `sha256=…`; a header of another name may leave the method out."""
    value = headers.get(header.lower(), "").strip()
    method, found, digest = value.partition("=")
    if header != SIGNATURE and (not found or method.lower() != _METHOD):
        return _METHOD, value
    return method.strip().lower(), digest.strip()


def _equals(sent: str, mac: bytes) -> bool:
    """In hexadecimal, as Jira writes it, or in Base64."""
    in_hex = hmac.compare_digest(as_sent(sent.lower()), mac.hex().encode())
    return hmac.compare_digest(as_sent(sent), base64.b64encode(mac)) or in_hex


def _any_equal(sent: bytes, secrets: Sequence[SecretStr]) -> bool:
    """Every secret is compared, so that the time does not tell which one came near."""
    return any([hmac.compare_digest(sent, secret.get_secret_value().encode()) for secret in secrets])  # noqa: C419
