"""`/api/openapi.json`: the table of routes as an OpenAPI 3.1 document."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from inspect import getdoc
from typing import Any

import orjson

from stoma import __version__
from stoma.api.answers import Asked, Document
from stoma.api.route import JSON, Param, Route
from stoma.api.schemas import SCHEMAS, of

ABOUT = """\
What has been collected, how everything stands, and commands: the same as on the command line, under the same words.

Instants are UTC, times of days go by the clock of `timezone` in stoma.yaml. Lists come in pages: `limit` says how long,
and `next` of the answer, given as `cursor`, goes on. A parameter that there is not, or that is empty, is an error.
"""
NEEDED = "Needed where `api.tokens` in stoma.yaml names any; one of them."
OPEN = ("/health",)
"""Where no token is needed: load balancers and probes cannot carry one."""

TAGS = {
    "Status": "How everything stands.",
    "Tasks": "What is collected, and when.",
    "Runs": "What was done, and what is being done.",
    "Records": "What has been collected.",
    "Configuration": "What is in force, and what tasks work with.",
}
_TAG_OF = (
    ("/api/scheduler/tasks", "Tasks"),
    ("/api/scheduler/presets", "Tasks"),
    ("/api/next", "Tasks"),
    ("/api/scheduler/runs", "Runs"),
    ("/api/scheduler/history", "Runs"),
    ("/api/runs", "Runs"),
    ("/api/scheduler", "Status"),
    ("/api/config", "Configuration"),
    ("/api/nodes", "Configuration"),
    ("/api/hosts", "Configuration"),
    ("/api/openapi", "Configuration"),
    ("/api/records", "Records"),
    ("/api/search", "Records"),
    ("/api/changes", "Records"),
    ("/api/export", "Records"),
    ("/health", "Status"),
    ("/api/", "Status"),
)
"""By the beginning of a path: the first that fits."""

PARTS = {
    "run_id": {"type": "integer", "minimum": 1, "maximum": 10**18 - 1},
    "task_id": {"type": "string", "pattern": "^[a-z0-9_-]{1,64}$"},
}
"""What stands in a path; anything else is text."""

_PART = re.compile(r"<(\w+)(?::\w+)?>")

FAULTS = {
    400: "What was asked cannot be understood: a parameter, the body.",
    401: "A token is needed.",
    403: "A page of another site asked for a change.",
    404: "There is nothing of that name.",
    405: "This address does not take that method.",
    409: "It cannot be done as things stand.",
    413: "The request is too large.",
    429: "Too many wrong tokens came from this address.",
    421: "The server does not answer to that name.",
    503: "The store cannot do it just now.",
}


def answer(asked: Asked) -> Document:
    """This document: every address with what may be said there and what comes back."""
    return Document(_text(bool(asked.scheduler.config.api.tokens)), f"{JSON}; charset=utf-8")


def document(routes: Iterable[Route], *, needs_token: bool) -> dict[str, Any]:
    """The routes of the API as OpenAPI tells them; pages are left out."""
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        if not is_api(route):
            continue
        path = _PART.sub(r"{\1}", route.path)
        paths.setdefault(path, {})[route.method.lower()] = _operation(route)
    bearer: list[dict[str, list[str]]] = [{"token": []}]
    return {
        "openapi": "3.1.0",
        "info": {"title": "Stoma", "version": __version__, "description": ABOUT},
        "tags": [{"name": name, "description": about} for name, about in TAGS.items()],
        "security": bearer if needs_token else [{}, *bearer],
        "paths": paths,
        "components": {
            "schemas": SCHEMAS,
            "responses": {
                f"Fault{status}": {"description": about, "content": {JSON: {"schema": of("Error")}}}
                for status, about in FAULTS.items()
            },
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "description": NEEDED}},
        },
    }


def is_api(route: Route) -> bool:
    """True for what other programs ask: not a page, nor what pages consist of."""
    return not route.page and not route.form and route.path.startswith(("/api/", "/health"))


def tag_of(route: Route) -> str:
    """Under what it stands in the reference."""
    return next(tag for start, tag in _TAG_OF if route.path.startswith(start))


def summary_of(route: Route) -> tuple[str, str]:
    """The first sentence about a route, and the rest."""
    first, _, rest = (getdoc(route.function) or "").partition("\n\n")
    return " ".join(first.split()).rstrip("."), " ".join(rest.split())


def parts_of(route: Route) -> list[str]:
    """The names of what stands in its path."""
    return _PART.findall(route.path)


def _operation(route: Route) -> dict[str, Any]:
    summary, rest = summary_of(route)
    words = re.findall(r"\w+", _PART.sub("", route.path.removeprefix("/api/")))
    found: dict[str, Any] = {
        "operationId": "_".join([route.method.lower(), *words, *(f"by_{part}" for part in parts_of(route))]),
        "summary": summary,
        "tags": [tag_of(route)],
        "parameters": [
            *map(_part, parts_of(route)),
            *(one for param in route.params for one in _param(param)),
        ],
        "responses": _responses(route),
    }
    if rest:
        found["description"] = rest
    if route.body is not None:
        found["requestBody"] = {"required": True, "content": {JSON: {"schema": route.body}}}
    if route.path.startswith(OPEN):
        found["security"] = []
    return found


def _part(name: str) -> dict[str, Any]:
    schema = PARTS.get(name, {"type": "string", "minLength": 1})
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _param(param: Param) -> list[dict[str, Any]]:
    found = {
        "name": param.name,
        "in": "query",
        "description": param.told,
        "required": param.required,
        "schema": param.schema,
    }
    if not param.also:
        return [found]
    # Whoever gives the other name need not give this one.
    other = {"name": param.also, "description": f"The same as {param.name}.", "deprecated": True}
    return [found | {"required": False}, found | other | {"required": False}]


def _responses(route: Route) -> dict[str, Any]:
    schema = of(route.answer) if route.answer else {}
    kinds = {kind: {"schema": schema} if kind == JSON else {} for kind in route.media}
    found: dict[str, Any] = {str(route.status): {"description": "Well.", "content": kinds}}
    if route.path.startswith("/health"):
        found["503"] = {"description": "Not so.", "content": kinds}
    for status in FAULTS:
        found.setdefault(str(status), {"$ref": f"#/components/responses/Fault{status}"})
    return found


@cache
def _text(needs_token: bool) -> bytes:
    from stoma.api.routes import ROUTES

    return orjson.dumps(document(ROUTES, needs_token=needs_token))


def described() -> Mapping[str, Any]:
    """The document as values, for the page that shows it."""
    found: Mapping[str, Any] = orjson.loads(_text(False))
    return found
