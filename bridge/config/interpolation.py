"""`${NAME}`, `${NAME:-default}` and `${file:path}` inside the YAML's strings.

It happens after the YAML is parsed, so a secret with quotes, colons or line ends in it is safe. What comes in is not
looked at again: a secret that holds `${` stays as it is.
"""

import re
from collections.abc import Mapping
from pathlib import Path

_REFERENCE = re.compile(
    r"\$\$"
    r"|\$\{file:(?P<file>[^}]*)\}"
    r"|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?P<given>:-(?P<default>[^}]*))?\}"
    r"|(?P<broken>\$\{)"
)


class InterpolationError(ValueError):
    """A reference that could not be followed; the sentence names it, and never a value."""


class Interpolation:
    """Fills in references from `environ` and from files, whose paths are relative to `folder`."""

    def __init__(self, environ: Mapping[str, str], folder: Path) -> None:
        self._environ = environ
        self._folder = folder

    def fill(self, text: str) -> str:
        """`text` with its references replaced, and `$$` as `$`; InterpolationError for the first that cannot be."""
        return _REFERENCE.sub(self._replace, text)

    def _replace(self, match: re.Match[str]) -> str:
        if match["broken"]:
            raise InterpolationError(
                "`${` begins a reference: write ${NAME}, ${NAME:-default} or ${file:path}, or `$${` for the text itself"
            )
        if match["file"] is not None:
            return self._read(match["file"])
        return self._variable(match) if match["name"] else "$"

    def _variable(self, match: re.Match[str]) -> str:
        name, default = match["name"], match["default"]
        if match["given"] is None:
            if name not in self._environ:
                raise InterpolationError(
                    f"the environment variable {name} is not set: set it, or give a default with ${{{name}:-…}}"
                )
            return self._environ[name]
        if "${" in default:
            raise InterpolationError(f"the default of {name} holds another reference: a default is plain text")
        return self._environ.get(name) or default  # as in a shell: an empty variable takes the default, too

    def _read(self, name: str) -> str:
        remedy = "check the path (it is relative to the configuration's folder) and who may read it"
        if not name:
            raise InterpolationError("${file:} names no file: write ${file:path}")
        try:
            text = (self._folder / name).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            raise InterpolationError(f"the file {name} is not text in UTF-8: save it as such") from None
        except (OSError, ValueError):
            raise InterpolationError(f"the file {name} cannot be read: {remedy}") from None
        return text.removesuffix("\n").removesuffix("\r")
