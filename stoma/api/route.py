"""One line of the table of routes: what is asked there, what may be said, what it does."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from stoma.api.answers import Given
from stoma.errors import UsageError
from stoma.wording import did_you_mean, listed, shown

Schema = Mapping[str, Any]
Function = Callable[..., Given]

JSON = "application/json"
TEXT: Schema = {"type": "string", "minLength": 1}
BOOLEAN: Schema = {"type": "boolean", "default": False}


@dataclass(frozen=True, slots=True)
class Param:
    """A parameter behind the question mark: a text, a whole number, a truth value, or one of several words."""

    name: str
    # A sentence for the reference.
    told: str
    # JSON Schema; `type`, `enum`, `minimum`, `maximum` and `default` count when it is read.
    schema: Schema = field(default_factory=lambda: TEXT)
    required: bool = False
    # Another name for it, from before; what is given under either is told under `name`.
    also: str = ""


@dataclass(frozen=True, slots=True)
class Route:
    """A method and a path, the function behind them, and what may be sent along.

    The first sentence of the function's docstring is the summary in the reference.
    """

    method: str
    path: str
    function: Function
    params: Sequence[Param] = ()
    # JSON Schema of a JSON body; None where there is none.
    body: Schema | None = None
    # True where the fields of an HTML form are sent.
    form: bool = False
    # The name of the schema of the answer, among those of the reference.
    answer: str = ""
    # The status when all is well, and the media types of the answer, for the reference.
    status: int = 200
    media: Sequence[str] = (JSON,)
    # True for a page for people: empty fields of its forms say nothing, and faults are told as a page.
    page: bool = False


def whole(default: int | None, least: int, most: int) -> Schema:
    """A whole number from `least` to `most`."""
    bounds = {"type": "integer", "minimum": least, "maximum": most}
    return bounds if default is None else bounds | {"default": default}


def one_of(*words: str, default: str | None = None) -> Schema:
    """One of several words."""
    schema = {"type": "string", "enum": list(words)}
    return schema if default is None else schema | {"default": default}


def read(params: Sequence[Param], given: Mapping[str, str]) -> dict[str, Any]:
    """What was given, as values, with defaults.

    Raises UsageError for a parameter that there is not, and for one that is empty: they would narrow nothing, and
    everything would be told.
    """
    names = [param.name for param in params]
    meant = {param.also: param.name for param in params if param.also}
    for name in given:
        if name in meant and meant[name] in given:
            raise UsageError(f"{shown(name)}: it is the same as {meant[name]}", "give one of them")
    given = {meant.get(name, name): value for name, value in given.items()}
    for name in given:
        if name not in names:
            near = did_you_mean(name, names)
            hint = f"there are {', '.join(names)}" if names else "there are none here"
            raise UsageError(f'there is no parameter "{shown(name)}"{near}', hint)
        if not given[name]:
            raise UsageError(f"{name}: nothing is given", "leave the parameter out, or say what it is to be")
    found = {}
    for param in params:
        if param.name in given:
            found[param.name] = _value(param, given[param.name])
        elif param.required:
            raise UsageError(f"{param.name}: it has to be said", param.told)
        elif "default" in param.schema:
            found[param.name] = param.schema["default"]
    return found


def _value(param: Param, text: str) -> Any:
    schema = param.schema
    if schema.get("type") == "integer":
        least, most = schema["minimum"], schema["maximum"]
        is_number = text.isascii() and text.isdigit() and len(text) < 20
        if not is_number or not least <= int(text) <= most:
            raise UsageError(
                f'{param.name}: found "{text[:50]}", expected a whole number from {least} to {most}'
            )
        return int(text)
    words = ["true", "false"] if schema.get("type") == "boolean" else schema.get("enum")
    if words and text not in words:
        raise UsageError(f'{param.name}: found "{shown(text)}", expected {listed(words, "or")}')
    return text == "true" if schema.get("type") == "boolean" else text
