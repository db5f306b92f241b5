"""Items of a declared source as records: by the fields that the config names, else as they are.

Without `fields` the whole item is kept as attributes, and title, summary, url and dates are guessed from usual names;
a guess that is none is left out. With `fields` a record has what they name and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urljoin, urlsplit

from stoma.errors import UsageError
from stoma.instants import instant_of
from stoma.log import logger
from stoma.normalizers.base import BaseNormalizer
from stoma.normalizers.http_json_doubts import FEW, absent, key_words, shared_key
from stoma.normalizers.http_json_fields import Field, as_number, id_of, line_of, names_of
from stoma.paths import Look, Path, missing, path_of
from stoma.records import CollectorResult, Record, Reject
from stoma.wording import did_you_mean, shown

TITLES = ("title", "full_name", "name", "headline", "subject", "label", "display_name")
SUMMARIES = ("summary", "description", "abstract", "excerpt", "content_text", "text", "body")
URLS = ("html_url", "web_url", "url", "link", "permalink", "href", "external_url")
PUBLISHED = (
    "published_at", "publishedAt", "published", "date_published", "datePublished", "created_at", "createdAt",
    "created", "pubDate", "pub_date", "date", "timestamp",
)  # fmt: skip
UPDATED = (
    "updated_at", "updatedAt", "updated", "date_modified", "dateModified", "modified_at", "modifiedAt",
    "modified", "last_modified", "lastModified",
)  # fmt: skip
KEYS = ("id", "_id", "uuid", "guid")
"""What makes an item unique where the config does not say; behind them comes its url."""

KIND = "entry"
OVER = "the last of them is kept, the others become its versions"


Make = Callable[[Any], Any]


def _date_of(value: Any) -> datetime | None:
    if type(value) is str and value[4:5] == "-" and value.endswith("Z"):
        # As `instant_of` does it, which looks at any other more closely.
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            pass
    return None if value == "" else instant_of(value)


OWN: Mapping[str, Make] = {
    "title": line_of,
    "summary": line_of,
    "url": line_of,
    "kind": line_of,
    "authors": names_of,
    "tags": names_of,
    "published_at": _date_of,
    "updated_at": _date_of,
}
"""Names in `fields` that are fields of a record, and how each is made; every other one is an attribute."""

NOTHING: Mapping[str, Any] = {
    name: () if make is names_of else None if make is _date_of else "" for name, make in OWN.items()
}
"""What such a field is where nothing leads to it."""


class HttpJsonNormalizer(BaseNormalizer):
    """Any item of JSON; one that is no mapping counts as `{value: item}`."""

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        """Raises UsageError for a path that is none."""
        try:
            self._config = config or {}
            self._shape = _Shape.of(self._config)
        except ValueError as error:
            raise UsageError(str(error)) from None
        # What is odd is told once a run.
        self._is_judged = self._is_told = False

    def prepared(self, config: Mapping[str, Any]) -> HttpJsonNormalizer:
        """The same for a task with this config."""
        return HttpJsonNormalizer(config)

    def normalize(self, result: CollectorResult) -> list[Record | Reject]:
        """The records of a page, in order; an item that cannot be one becomes a reject.

        Raises UsageError where most items share a key (they would overwrite one another) and where no field is found.
        """
        found: list[Record | Reject] = []
        for item in result.items:
            try:
                found.append(self.normalize_item(item, result))
            except ValueError as error:
                found.append(Reject(str(error), item))
            except Exception as error:  # a stranger's data may break anything; the page goes on
                found.append(Reject(f"{type(error).__name__}: {error}", item))
        self._judge(result, found)
        return found

    def _judge(self, result: CollectorResult, found: list[Record | Reject]) -> None:
        items = result.items
        shared, key = shared_key(items, found)
        name = key_words(self._config)
        if shared >= FEW and shared * 2 > len(items):
            raise UsageError(
                f"{result.url}: {name} is no key: {shared + 1} of {len(items)} different items share one "
                f"with another, such as {shown(key, 60)}",
                "name what makes an item unique, or several things that do so together: key: [id, date]",
            )
        if shared and not self._is_told:
            self._is_told = True
            logger.warning(
                "{}: {} items have the key of another, such as {}: {}", name, shared, shown(key, 60), OVER
            )
        fields = [*(self._shape.fields or ()), *self._shape.measures]
        if self._is_judged or len(items) < FEW:
            return
        self._is_judged = True
        lost = {field.name: words for field, words in absent(fields, items)}
        named = {field.name for field in self._shape.fields or () if field.path is not None}
        if named and named <= lost.keys():
            raise UsageError(
                f"{result.url}: none of fields leads to anything: {'; '.join(lost.values())}",
                "fields count from an item; items says where these lie",
            )
        for field, words in lost.items():
            logger.warning("{}: {}", field, words)

    def normalize_item(self, item: Any, result: CollectorResult) -> Record:
        """One item as a record; raises ValueError saying what keeps it from being one."""
        is_scalar = not isinstance(item, dict)
        if is_scalar:
            item = {"value": item}
        shape = self._shape
        own, attributes = shape.guessed(item) if shape.fields is None else shape.named(item, result.url)
        return Record(
            result.source,
            shape.key(item, own["url"], is_scalar=is_scalar),
            own["kind"] or KIND,
            own["title"],
            own["summary"],
            own["url"],
            own["authors"],
            own["tags"],
            own["published_at"],
            own["updated_at"],
            attributes,
            shape.measured(item),
        )


@dataclass(frozen=True, slots=True)
class _Shape:
    """What a config makes of an item."""

    keys: tuple[Path, ...]
    # None: nothing is named, so that all is kept and the rest guessed.
    fields: tuple[Field, ...] | None
    measures: tuple[Field, ...]
    # Of each field of a record its name, the key where its value lies if it is one, else what finds it, and what is
    # made of that.
    own: tuple[tuple[str, str | None, Look, Make], ...]
    # The same of the attributes, which stay as they are.
    others: tuple[tuple[str, str | None, Look], ...]
    # The only key, where it is a bare one.
    plain_key: str | None

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> _Shape:
        given, fields, measures = config.get("key"), config.get("fields"), config.get("measures")
        named = [given] if isinstance(given, str) else given or []
        found = None if fields is None else tuple(Field.of(name, told) for name, told in fields.items())
        plan = [(field.name, field.plain_key, field.look) for field in found or ()]
        keys = tuple(path_of(text) for text in named)
        alone = keys[0].keys if len(keys) == 1 else None
        return cls(
            keys=keys,
            fields=found,
            own=tuple((*told, OWN[told[0]]) for told in plan if told[0] in OWN),
            others=tuple(told for told in plan if told[0] not in OWN),
            plain_key=alone[0] if alone and len(alone) == 1 else None,
            measures=tuple(Field.of(name, told, as_number) for name, told in (measures or {}).items()),
        )

    def key(self, item: Mapping[str, Any], url: str, *, is_scalar: bool) -> str:
        """What makes the item unique; several parts are joined by `:`, which is escaped inside them."""
        if self.keys:
            if self.plain_key is not None:
                # As nearly all are: at once.
                found = item.get(self.plain_key)
                if type(found) is str and (part := found.strip()):
                    return part
            parts = [_part(path, item) for path in self.keys]
            if len(parts) == 1:
                return parts[0]
            return ":".join(part.replace("%", "%25").replace(":", "%3A") for part in parts)
        names = ("value",) if is_scalar else KEYS
        found = next((item[name] for name in names if item.get(name) not in (None, "")), None)
        if isinstance(found, str | int | float) and not isinstance(found, bool):
            return id_of(found)
        if url:
            return url
        raise ValueError(f"it has no {', '.join(KEYS)} or url; name the field that makes it unique: key")

    def named(self, item: Mapping[str, Any], page_url: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """The fields of the record that the config names, and the attributes."""
        own, others = dict(NOTHING), {}
        for name, key, find, make in self.own:
            value = find(item) if key is None else item.get(key)
            if value is not None:
                try:
                    own[name] = make(value)
                except ValueError as error:
                    raise ValueError(f"{name}: {error}") from None
        for name, key, find in self.others:
            value = find(item) if key is None else item.get(key)
            if value is not None:
                others[name] = value
        if url := own["url"]:
            own["url"] = _absolute(url, page_url)
        return own, others

    def guessed(self, item: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """The fields of the record by usual names, and the whole item as attributes, but for what is only measured."""
        own: dict[str, Any] = {
            **NOTHING,
            "title": " ".join(_text(item, TITLES).split()),
            "summary": _text(item, SUMMARIES),
            "url": _text(item, URLS, ("https://", "http://")),
            "published_at": _instant(item, PUBLISHED),
            "updated_at": _instant(item, UPDATED),
        }
        attributes = item
        for field in self.measures:
            keys = field.path.keys if field.path is not None else None
            attributes = _without(attributes, keys) if keys else attributes
        return own, attributes

    def measured(self, item: Mapping[str, Any]) -> dict[str, float]:
        if not self.measures:
            return {}
        found = ((field.name, field.value(item)) for field in self.measures)
        return {name: value for name, value in found if value is not None}


def _part(path: Path, item: Mapping[str, Any]) -> str:
    try:
        found = path.find(item)
        part = "" if found is None else id_of(found)
    except ValueError as error:
        raise ValueError(f"key: {path.text}: {error}") from None
    if not part:
        lack = missing(path, item)
        raise ValueError(f"key: {path.text} leads to nothing{did_you_mean(*lack) if lack else ''}")
    return part


def _text(item: Mapping[str, Any], names: tuple[str, ...], begins: tuple[str, ...] = ("",)) -> str:
    for name in names:
        value = item.get(name)
        if isinstance(value, str) and value.startswith(begins) and (text := value.strip()):
            return text
    return ""


def _instant(item: Mapping[str, Any], names: tuple[str, ...]) -> datetime | None:
    for name in names:
        value = item.get(name)
        if value:
            try:
                return instant_of(value)
            except ValueError:
                continue
    return None


def _absolute(url: str, page_url: str) -> str:
    """An address that may be written from the page it stands on."""
    is_whole = url.startswith(("https://", "http://")) and url.isascii() and "[" not in url and "]" not in url
    if is_whole or urlsplit(url).scheme:
        return url
    parts = urlsplit(page_url)
    return urljoin(parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl(), url)


def _without(item: Mapping[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    """The item without what these keys lead to; what it is made of stays as it is."""
    name, *rest = keys
    inner = item.get(name)
    if not rest or not isinstance(inner, Mapping):
        return {key: value for key, value in item.items() if rest or key != name}
    return {**item, name: _without(inner, tuple(rest))}
