"""What does not fit a schema. jsonschema is the judge; this module asks it as little as possible.

jsonschema takes about a millisecond for one task, ten seconds for ten thousand. So a schema is taken apart once: that
a mapping fits its `properties`, `required`, `allOf` and the like follows, by the definition of those keywords, from
whether the parts fit; and the parts, mostly single words, are judged by jsonschema, each word once. Where something
does not fit, jsonschema itself says so: about that mapping alone, and then about the part.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stoma.documents.schemas import Schema

if TYPE_CHECKING:
    from jsonschema import ValidationError

Path = tuple[str | int, ...]
Accepts = Callable[[Any], bool]

ANNOTATIONS = frozenset(
    {"$schema", "$id", "$comment", "$defs", "title", "description", "default", "examples", "deprecated"}
    | {"readOnly", "writeOnly", "markdownDescription", "patternErrorMessage"}
)
TAKEN_APART = frozenset(
    {"type", "properties", "required", "additionalProperties", "propertyNames"}
    | {"allOf", "anyOf", "not", "if", "then"}
)
SINGLE = frozenset({str, int, float, bool, type(None)})
MOST_REMEMBERED = 2_000


@dataclass(frozen=True, slots=True)
class Format:
    """A kind of value with rules of its own: `check` raises ValueError; `expected` names it in messages."""

    check: Callable[[Any], object]
    expected: str
    # What has a type other than these, the schema judges alone.
    of: tuple[type, ...] = (str,)


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that does not fit: where, what jsonschema says about it, and the part of the schema that says no."""

    path: Path
    error: ValidationError
    schema: Any


class Checker:
    """Judges values by one schema; made once and used for every file."""

    def __init__(self, schema: Schema, formats: Mapping[str, Format] | None = None) -> None:
        self._schema = schema
        self.formats = dict(formats or {})
        self._validator_class, self._format_checker = _validator_class(self.formats)
        self._compiled: dict[int, Accepts] = {}
        self._validators: dict[int, tuple[Schema, Any]] = {}
        self._shells: dict[int, Schema] = {}

    def accepts(self, value: Any) -> bool:
        """True when the value fits."""
        return self._accepts(self._schema)(value)

    def faults(self, value: Any) -> Iterator[Fault]:
        """Everything that does not fit."""
        return self._faults(self._schema, value, ())

    def _accepts(self, schema: Any) -> Accepts:
        found = self._compiled.get(id(schema))
        if found is None:
            found = self._compiled[id(schema)] = self._compile(schema)
        return found

    def _compile(self, schema: Any) -> Accepts:
        if isinstance(schema, bool):
            return lambda _: schema
        if not _is_apart(schema):
            return self._remembering(schema)
        properties = {key: self._accepts(part) for key, part in schema.get("properties", {}).items()}
        required = schema.get("required", ())
        additional = schema.get("additionalProperties", True)
        other = self._accepts(additional)
        names = self._accepts(schema["propertyNames"]) if "propertyNames" in schema else None
        rest = [self._accepts(part) for part in schema.get("allOf", ())]
        if "anyOf" in schema:
            rest.append(_any([self._accepts(part) for part in schema["anyOf"]]))
        if "not" in schema:
            rest.append(_not(self._accepts(schema["not"])))
        if "if" in schema:
            rest.append(_implies(self._accepts(schema["if"]), self._accepts(schema.get("then", True))))
        has_type = self._remembering({"type": schema["type"]}) if "type" in schema else None
        empty: dict[str, Any] = {}

        def accepts(value: Any) -> bool:
            if has_type is not None and not has_type(value if type(value) is not dict else empty):
                return False
            if type(value) is dict:
                for key in required:
                    if key not in value:
                        return False
                for key, item in value.items():
                    if not properties.get(key, other)(item):
                        return False
                    if names is not None and not names(key):
                        return False
            return all(part(value) for part in rest)

        return accepts

    def _remembering(self, schema: Schema) -> Accepts:
        """jsonschema's own judgement; of single values it is asked once."""
        is_valid: Accepts = self._validator(schema).is_valid
        judged: dict[Any, bool] = {}

        def accepts(value: Any) -> bool:
            kind = type(value)
            if kind is dict or kind is list:
                return is_valid(value) if value else of_empty(value)
            # Long texts are not kept; what comes from Python may be anything.
            if kind not in SINGLE or (kind is str and len(value) > 100):
                return is_valid(value)
            known = judged.get((kind, value))
            if known is None:
                if len(judged) >= MOST_REMEMBERED:
                    judged.clear()
                known = judged[kind, value] = is_valid(value)
            return known

        def of_empty(value: Any) -> bool:
            known = judged.get(type(value))
            if known is None:
                known = judged[type(value)] = is_valid(value)
            return known

        return accepts

    def _validator(self, schema: Schema) -> Any:
        found = self._validators.get(id(schema))
        if found is None:
            # The schema is kept with its validator, so that no other one can get its id().
            found = schema, self._validator_class(schema, format_checker=self._format_checker)
            self._validators[id(schema)] = found
        return found[1]

    def _faults(self, schema: Any, value: Any, path: Path) -> Iterator[Fault]:
        if self._accepts(schema)(value):
            return
        if not (isinstance(schema, dict) and _is_apart(schema) and isinstance(value, dict)):
            for error in self._validator(schema).iter_errors(value):
                yield Fault((*path, *error.absolute_path), error, error.schema)
            return
        shell = self._shells.setdefault(id(schema), _shell(schema))
        for error in self._validator(shell).iter_errors(value):
            # Of the names in a mapping the error knows more; of the mapping itself the whole schema does.
            yield Fault(path, error, error.schema if error.schema_path[0] == "propertyNames" else schema)
        properties, additional = schema.get("properties", {}), schema.get("additionalProperties", True)
        for key, item in value.items():
            if key in properties or isinstance(additional, dict):
                yield from self._faults(properties.get(key, additional), item, (*path, key))
        for part in schema.get("allOf", ()):
            yield from self._faults(part, value, path)
        if "if" in schema and self._accepts(schema["if"])(value):
            yield from self._faults(schema.get("then", True), value, path)


def _is_apart(schema: Schema) -> bool:
    return not (schema.keys() - ANNOTATIONS - TAKEN_APART) and bool(schema.keys() & (TAKEN_APART - {"type"}))


def _implies(condition: Accepts, consequence: Accepts) -> Accepts:
    return lambda value: not condition(value) or consequence(value)


def _any(branches: list[Accepts]) -> Accepts:
    return lambda value: any(branch(value) for branch in branches)


def _not(branch: Accepts) -> Accepts:
    return lambda value: not branch(value)


def _shell(schema: Schema) -> Schema:
    """What the schema says of a mapping itself, without what it says of the values."""
    shell = {key: item for key, item in schema.items() if key not in {"allOf", "if", "then"}}
    if "properties" in shell:
        shell["properties"] = dict.fromkeys(shell["properties"], True)
    if isinstance(shell.get("additionalProperties"), dict):
        shell["additionalProperties"] = True
    return shell


def _validator_class(formats: Mapping[str, Format]) -> tuple[Any, Any]:
    from jsonschema import Draft202012Validator, FormatChecker, ValidationError
    from jsonschema.validators import extend

    def pattern(_: Any, wanted: str, value: Any, __: Any) -> Iterator[ValidationError]:
        # In Python "$" also matches before a last line break; in JSON Schema it does not.
        if isinstance(value, str) and not re.search(re.sub(r"\$$", r"\\Z", wanted), value):
            yield ValidationError(f"{value!r} does not match {wanted!r}")

    def is_integer(_: Any, value: Any) -> bool:
        # 50.0 is a whole number to JSON Schema, but not to range().
        return isinstance(value, int) and not isinstance(value, bool)

    def is_number(_: Any, value: Any) -> bool:
        # What else Python calls a number, such as 1j, has no order.
        return isinstance(value, int | float) and not isinstance(value, bool)

    checker = FormatChecker(formats=())
    for name, form in formats.items():
        checker.checks(name, raises=ValueError)(_only_of(form))
    types = Draft202012Validator.TYPE_CHECKER.redefine_many({"integer": is_integer, "number": is_number})
    made: Any = extend(Draft202012Validator, {"pattern": pattern}, type_checker=types)  # type: ignore[no-untyped-call]
    return made, checker


def _only_of(form: Format) -> Callable[[Any], bool]:
    def checked(value: Any) -> bool:
        if isinstance(value, form.of):
            form.check(value)
        return True

    return checked
