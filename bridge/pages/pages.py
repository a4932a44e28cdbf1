"""HTML from templates, and the style and the script beside it."""

from collections.abc import Callable, Mapping
from importlib.resources import files
from typing import Any
from urllib.parse import parse_qsl

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
_STATIC = {"page.css": "text/css", "page.js": "text/javascript"}


class Pages:
    """The pages of a package that has a folder `templates`. `statics` is the path under which their style and script are served.

    A template extends `base.html`, and sees `root`, the path at which the application is mounted.
    """

    def __init__(self, package: str, title: str, statics: str, filters: Mapping[str, Callable[..., Any]]) -> None:
        loader = ChoiceLoader([PackageLoader(package), PackageLoader(__package__)])
        self._templates = Environment(loader=loader, autoescape=True, undefined=StrictUndefined)
        self._templates.filters.update(filters)
        self._templates.globals.update(product=title, statics=statics)
        self._statics = statics

    def html(
        self, request: Request, name: str, status: int = 200, headers: Mapping[str, str] | None = None, **values: Any
    ) -> Response:
        """A page."""
        text = self._templates.get_template(name).render(root=root_of(request), **values)
        return Response(text, status, {**_HEADERS, **(headers or {})}, media_type="text/html; charset=utf-8")

    def static(self) -> list[Route]:
        """The style and the script, which hold nothing of anybody's."""
        return [Route(f"{self._statics}/{name}", _static(name)) for name in _STATIC]


def root_of(request: Request) -> str:
    """The path at which the application is mounted; mostly empty."""
    root: str = request.scope.get("root_path", "")
    return root


def posted(body: bytes) -> dict[str, str]:
    """What a form holds. Raises `ValueError`."""
    return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=100))


def _static(name: str) -> Callable[[Request], Any]:
    content = files(__package__).joinpath("static", name).read_text("utf-8")

    async def answer(_request: Request) -> Response:
        return Response(content, media_type=f"{_STATIC[name]}; charset=utf-8", headers={"Cache-Control": "no-cache"})

    return answer
