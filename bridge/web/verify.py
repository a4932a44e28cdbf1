"""Whether a webhook comes from whom it says: by a signature over the raw bytes, or by a shared token. Comparisons take constant time."""

import base64
import binascii
import hmac
from collections.abc import Mapping, Sequence

from starlette.datastructures import QueryParams

from bridge.config import Source, WebhookSource
from bridge.errors import Refused

SIGNATURE = "X-Hub-Signature"
AUTHORIZATION = "Authorization"
_METHOD = "sha256"
_HEXADECIMAL = binascii.hexlify
_HEXADECIMAL_LENGTH = 64
"""Of a SHA-256 as Jira writes it; others write Base64."""


class Verifier:
    """What the senders of one source have to prove: before their body is read, and by it."""

    def __init__(self, source: Source) -> None:
        self._how = source.verify
        self._secrets = [secret.get_secret_value().encode() for secret in source.secrets]
        self._header = _header(source, AUTHORIZATION if source.verify == "bearer" else SIGNATURE)

    def begin(self, headers: Mapping[str, str], query: bytes, path: str | None) -> str:
        """Judge a token in a header, the query or the path, or find the signature, which is returned. Raises `Refused`."""
        match self._how:
            case "hmac":
                return self._signature(headers)
            case "bearer":
                form = "`Authorization: Bearer …`" if self._header == AUTHORIZATION else f"`{self._header}: …`"
                sent = _token(headers.get(self._header.lower(), ""), scheme=self._header == AUTHORIZATION)
                self._compare(sent, where=f"the {self._header} header", remedy=f"send {form}")
            case "query":
                token = QueryParams(query).get("token", "")
                self._compare(_in_query(token), where="the address", remedy="add `?token=…`")
            case "path":
                sent = (path or "").encode(errors="replace")
                self._compare(sent, where="the address", remedy="it is /hooks/NAME/TOKEN")
        return ""

    def finish(self, signature: str, body: bytes) -> None:
        """Judge the signature: HMAC-SHA256 over the raw bytes (W3C WebSub 8; Jira's webhook page), by any of the secrets."""
        if self._how != "hmac":
            return
        form = _HEXADECIMAL if len(signature) == _HEXADECIMAL_LENGTH else base64.b64encode
        sent = as_sent(signature.lower() if form is _HEXADECIMAL else signature)
        if not _any_equal(sent, [form(hmac.digest(secret, body, _METHOD)) for secret in self._secrets]):
            raise Refused(
                "the signature does not match: the webhook's secret in the tracker is none of this source's secrets"
            )

    def _signature(self, headers: Mapping[str, str]) -> str:
        """The digest in `sha256=…`; a header of another name may leave the method out."""
        value = headers.get(self._header.lower(), "").strip()
        method, found, digest = value.partition("=")
        method, digest = method.strip().lower(), digest.strip()
        if self._header != SIGNATURE and (not found or method != _METHOD):
            method, digest = _METHOD, value
        if not digest:
            raise Refused(f"the {self._header} header is missing: give the webhook its secret in the tracker")
        if method != _METHOD:
            raise Refused(f"{self._header} uses another method; only sha256 is accepted")
        return digest

    def _compare(self, sent: bytes, *, where: str, remedy: str) -> None:
        """Tells a token that is missing from one that is wrong: which of the two it is, the sender knows anyway."""
        if not sent:
            raise Refused(f"{where} carries no token: {remedy}")
        if not _any_equal(sent, self._secrets):
            raise Refused(f"the token in {where} is none of this source's secrets")


def as_sent(header: str) -> bytes:
    """A header's bytes; the server decoded them as Latin-1."""
    return header.encode("latin-1", errors="replace")


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


def _any_equal(sent: bytes, known: Sequence[bytes]) -> bool:
    """Every one is compared, so that the time does not tell which came near."""
    return any([hmac.compare_digest(sent, each) for each in known])  # noqa: C419
