"""How the models hang together: which section, with which keys, stands at a place in the file."""

from collections.abc import Iterator
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import Tag

from bridge.config.types import Place, Section


def arms(annotation: Any) -> tuple[Any, ...]:
    """The alternatives of an annotation, apart from None; one that has no alternative is its own only arm."""
    if get_origin(annotation) is Annotated:
        return arms(get_args(annotation)[0])
    if get_origin(annotation) in {Union, UnionType}:
        found = tuple(arm for arm in get_args(annotation) if arm is not NoneType)
        return arms(found[0]) if len(found) == 1 else found
    return (annotation,)


def bare(annotation: Any) -> Any:
    """An annotation without what `Annotated` adds."""
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


def section(annotation: Any) -> type[Section] | None:
    """The section that an annotation is, if it is one."""
    kind = bare(annotation)
    return kind if isinstance(kind, type) and issubclass(kind, Section) else None


def kinds(model: type[Section]) -> tuple[str, ...]:
    """The values of `type` that choose this section among its alternatives."""
    return get_args(model.model_fields["type"].annotation) if "type" in model.model_fields else ()


def within(annotation: Any) -> Any:
    """The annotation of what a list or mapping holds; Any for everything else."""
    kind = bare(annotation)
    return get_args(kind)[-1] if get_origin(kind) in {list, dict} else Any


def locate(root: type[Section], loc: Place) -> tuple[Place, type[Section] | None]:
    """Where pydantic's `loc` is in the file, and the section that its last key belongs to.

    The two differ in that pydantic also names the arm of a union that it took, which no one has written.
    """
    place: list[str | int] = []
    owner: type[Section] | None = None
    here: Any = root
    for element in loc:
        options = arms(here)
        taken = [option for option in options if element in _marks(option)] if len(options) > 1 else []
        if taken:
            here = taken[0]
            continue
        if element == "[key]":  # pydantic's name for a mapping's key, as against its value
            break
        only = options[0] if len(options) == 1 else Any
        owner = section(only)
        here = _child(only, element)
        place.append(element)
    return tuple(place), owner


def sections(annotation: Any, path: str = "") -> Iterator[tuple[str, type[Section]]]:
    """Every section beneath `annotation`, with its path, in which `NAME` and `[]` stand for any key and entry."""
    for option in arms(annotation):
        model = section(option)
        if model is not None:
            yield path, model
            for name, field in model.model_fields.items():
                yield from sections(field.annotation, f"{path}.{name}" if path else name)
        elif (inner := within(option)) is not Any:
            yield from sections(inner, path + ("[]" if get_origin(bare(option)) is list else ".NAME"))


def _marks(option: Any) -> tuple[str, ...]:
    model = section(option)
    tags = tuple(mark.tag for mark in getattr(option, "__metadata__", ()) if isinstance(mark, Tag))
    return tags + kinds(model) if model else tags


def _child(annotation: Any, element: str | int) -> Any:
    model = section(annotation)
    if model is None:
        return within(annotation)
    field = model.model_fields.get(str(element))
    return field.annotation if field else Any
