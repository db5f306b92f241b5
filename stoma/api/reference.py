"""`/api/docs`: the API's own description as a page, made from the same document that programs read."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from stoma.api.answers import Asked, Document
from stoma.api.openapi import described
from stoma.api.pages import render

SAMPLES: Mapping[str, Any] = {
    "task_id": "ml_papers_scan",
    "run_id": 17,
    "source": "arxiv",
    "external_id": "2605.00001",
    "host": "export.arxiv.org",
    "preset": "research",
    "q": "diffusion",
}
"""What stands in examples."""


@dataclass(frozen=True, slots=True)
class Member:
    """A parameter, or a member of an object."""

    name: str
    kind: str
    about: str
    is_required: bool
    # The schema that it refers to.
    refers: str = ""


@dataclass(frozen=True, slots=True)
class Operation:
    """An address with one of its methods."""

    id: str
    method: str
    path: str
    summary: str
    about: str
    parameters: list[Member]
    body: list[Member]
    status: str
    answer: str
    media: list[str]
    example: str


def page(asked: Asked) -> Document:
    """The API for people: every address, what may be said there and what comes back."""
    document = described()
    operations = list(_operations(document, asked.scheduler.heartbeat.api_url or "http://127.0.0.1:8000"))
    groups = [
        (tag["name"], tag["description"], [one for name, one in operations if name == tag["name"]])
        for tag in document["tags"]
    ]
    faults = {
        name.removeprefix("Fault"): fault["description"]
        for name, fault in document["components"]["responses"].items()
    }
    schemas = [
        (name, schema.get("description", ""), list(_members(schema)))
        for name, schema in document["components"]["schemas"].items()
    ]
    return render.page(
        asked,
        "reference.html",
        about=document["info"]["description"].split("\n\n"),
        token=document["components"]["securitySchemes"]["token"]["description"],
        groups=[group for group in groups if group[2]],
        faults=faults,
        schemas=schemas,
    )


def kind_of(schema: Mapping[str, Any]) -> tuple[str, str]:
    """What a value is, in words, and which schema it refers to."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return name, name
    if "anyOf" in schema:
        found = [kind_of(one) for one in schema["anyOf"]]
        return " or ".join(word for word, _ in found), next((name for _, name in found if name), "")
    if "enum" in schema:
        return ", ".join("null" if word is None else str(word) for word in schema["enum"]), ""
    kinds = schema.get("type", "anything")
    if kinds == "array":
        word, name = kind_of(schema.get("items", {}))
        return f"list of {word}", name
    words = [kinds] if isinstance(kinds, str) else kinds
    told = {"string": "text", "integer": "whole number", "boolean": "true or false", "array": "list"}
    return " or ".join(_instant(schema) or told.get(word, word) for word in words), ""


def _instant(schema: Mapping[str, Any]) -> str:
    return {"date-time": "instant", "date": "day"}.get(schema.get("format", ""), "")


def _operations(document: Mapping[str, Any], address: str) -> Iterator[tuple[str, Operation]]:
    for path, methods in document["paths"].items():
        for method, told in methods.items():
            content = told.get("requestBody", {}).get("content", {})
            schema = next(iter(content.values()))["schema"] if content else {}
            status, answer = next(iter(told["responses"].items()))
            kinds = answer["content"]
            refers = next((kind_of(one["schema"])[1] for one in kinds.values() if "schema" in one), "")
            parameters = [_parameter(one) for one in told["parameters"] if not one.get("deprecated")]
            body = list(_members(schema))
            yield (
                told["tags"][0],
                Operation(
                    told["operationId"],
                    method.upper(),
                    path,
                    told["summary"],
                    told.get("description", ""),
                    parameters,
                    body,
                    status,
                    refers,
                    [kind for kind in kinds if kind != "application/json"],
                    _example(method.upper(), address + path, told["parameters"], schema.get("examples")),
                ),
            )


def _parameter(told: Mapping[str, Any]) -> Member:
    schema = told["schema"]
    word, _ = kind_of(schema)
    if "maximum" in schema and schema["maximum"] < 10**9:
        word += f", {schema['minimum']:,} to {schema['maximum']:,}"
    about = told.get("description", "It stands in the path." if told["in"] == "path" else "")
    if "default" in schema:
        about += f" Otherwise {json.dumps(schema['default']).strip(chr(34))}."
    return Member(told["name"], word, about, told["required"])


def _members(schema: Mapping[str, Any]) -> Iterator[Member]:
    for name, part in schema.get("properties", {}).items():
        word, refers = kind_of(part)
        is_required = name in schema.get("required", ())
        if "properties" in part or "properties" in part.get("items", {}):
            word += f" with {', '.join(part.get('properties') or part['items']['properties'])}"
        yield Member(name, word, part.get("description", ""), is_required, refers)


def _example(method: str, address: str, parameters: list[dict[str, Any]], bodies: list[Any] | None) -> str:
    """A call by curl."""
    for one in parameters:
        if one["in"] == "path":
            address = address.replace(f"{{{one['name']}}}", str(SAMPLES.get(one["name"], "NAME")))
    wanted = [one["name"] for one in parameters if one["required"] and one["in"] == "query"]
    wanted += [one["name"] for one in parameters if one["name"] == "q" and not one["required"]]
    if wanted:
        address += "?" + "&".join(f"{name}={SAMPLES.get(name, 'WORD')}" for name in dict.fromkeys(wanted))
    said = "curl" if method == "GET" else f"curl -X {method}"
    if bodies:
        said += f" -H 'Content-Type: application/json' -d '{json.dumps(bodies[0])}'"
    return f"{said} '{address}'"
