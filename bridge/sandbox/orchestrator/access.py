"""Who gets in: anybody with a bearer token, or, once clients or passwords are named, only tokens that were issued here and still last."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hmac import compare_digest

LIFETIME = timedelta(hours=1)
"""Of a token, unless its client says otherwise: what the cloud's identity server gives."""


class SignInRefused(Exception):
    """The token endpoint says no; `error` is OAuth's word for why."""

    def __init__(self, error: str) -> None:
        super().__init__(error)
        self.error = error


@dataclass(frozen=True, slots=True)
class Client:
    """An external application. Without scopes of its own it may ask for any."""

    id: str
    secret: str
    scopes: tuple[str, ...] | None = None
    lifetime: timedelta = LIFETIME


@dataclass(frozen=True, slots=True)
class Grant:
    """What a client was given: for how long, and for what."""

    lifetime: timedelta
    scope: str


class Access:
    """The clients and passwords that are known, and the tokens that were issued to them."""

    def __init__(self, clients: Iterable[Client] = (), passwords: Mapping[str, str] | None = None) -> None:
        self._clients = {client.id: client for client in clients}
        self._passwords = {email.casefold(): password for email, password in (passwords or {}).items()}
        self._tokens: dict[str, datetime] = {}

    @property
    def open(self) -> bool:
        """Whether any non-empty token, client and password will do."""
        return not self._clients and not self._passwords

    def grant(self, client_id: str, secret: str, scope: str | None) -> Grant:
        """What the client gets. Raises `SignInRefused`: a client has no refresh token (forum 341681), so no `offline_access`."""
        client = Client(client_id, secret) if self.open else self._clients.get(client_id)
        if client is None or not client_id or not secret or not _same(client.secret, secret):
            raise SignInRefused("invalid_client")
        asked = (scope or " ".join(client.scopes or ("OR.Default",))).split()
        if "offline_access" in asked or not set(asked) <= set(asked if client.scopes is None else client.scopes):
            raise SignInRefused("invalid_scope")
        return Grant(client.lifetime, " ".join(asked))

    def knows(self, user: str, password: str) -> bool:
        """Whether a password login is right."""
        return self.open or _same(self._passwords.get(user.casefold(), ""), password)

    def issued(self, token: str, clock: Callable[[], datetime], lifetime: timedelta = LIFETIME) -> None:
        """Let this token in until its lifetime is over."""
        if not self.open:
            now = clock()
            self._tokens = {known: end for known, end in self._tokens.items() if end > now} | {token: now + lifetime}

    def admits(self, token: str, clock: Callable[[], datetime]) -> bool:
        """Whether a request with this bearer token comes in."""
        return bool(token) and (self.open or (token in self._tokens and clock() < self._tokens[token]))


def _same(known: str, given: str) -> bool:
    return bool(known) and compare_digest(known.encode(), given.encode())
