"""Whether a webhook comes from whom it says: by a signature over the raw bytes, or by a shared token. Comparisons take constant time."""

import hashlib
import hmac
from collections.abc import Mapping, Sequence

from pydantic import SecretStr

from bridge.errors import Refused

SIGNATURE = "x-hub-signature"
_METHOD = "sha256"


def verify_token(how: str, secrets: Sequence[SecretStr], headers: Mapping[str, str], query: Mapping[str, str]) -> None:
    """What can be judged before the body is read: a bearer's or query's token, and that there is a signature at all."""
    match how:
        case "bearer":
            scheme, _, token = headers.get("authorization", "").partition(" ")
            if scheme.lower() != "bearer" or not _any_equal(as_sent(token.strip()), secrets):
                raise Refused(
                    "the Authorization header does not carry the source's token: send `Authorization: Bearer …`"
                )
        case "query":
            if not _any_equal(query.get("token", "").encode(errors="replace"), secrets):
                raise Refused("the address does not carry the source's token: add `?token=…`")
        case "hmac":
            method, _, digest = headers.get(SIGNATURE, "").partition("=")
            if not digest:
                raise Refused("the X-Hub-Signature header is missing: give the webhook its secret in the tracker")
            if method.strip().lower() != _METHOD:
                raise Refused("X-Hub-Signature uses another method; only sha256 is accepted")


def verify_body(how: str, secrets: Sequence[SecretStr], headers: Mapping[str, str], body: bytes) -> None:
    """An HMAC-SHA256 signature over the raw bytes, by any of the secrets (W3C WebSub 8; Jira's webhook page)."""
    if how != "hmac":
        return
    sent = as_sent(headers.get(SIGNATURE, "").partition("=")[2].strip().lower())
    expected = [hmac.new(secret.get_secret_value().encode(), body, hashlib.sha256).hexdigest() for secret in secrets]
    if not any([hmac.compare_digest(sent, digest.encode()) for digest in expected]):  # noqa: C419 - every one is compared
        raise Refused(
            "the signature does not match: the webhook's secret in the tracker is none of this source's secrets"
        )


def as_sent(header: str) -> bytes:
    """A header's bytes; the server decoded them as Latin-1."""
    return header.encode("latin-1", errors="replace")


def _any_equal(sent: bytes, secrets: Sequence[SecretStr]) -> bool:
    """Every secret is compared, so that the time does not tell which one came near."""
    return any([hmac.compare_digest(sent, secret.get_secret_value().encode()) for secret in secrets])  # noqa: C419
