"""Code of your own: a collector or normalizer named by its path, such as `my_source:MyCollector`, or offered by an
installed package under a name (an entry point).

Python code is read once in the life of a process, on a thread of its own and within bounds. Whatever is wrong with it
becomes a Blocked that says where and why.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache, partial
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stoma.errors import Blocked, NotFound
from stoma.importing import Import
from stoma.references import mask
from stoma.wording import did_you_mean, nearest, shown

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

RETRY_SECONDS = 10.0
"""Code that could not be used is tried again after this: its file may have been mended."""

PATIENCE_SECONDS = 4.0
"""How long an import may take before its tasks are blocked; what takes longer is used as soon as it is there."""

AGAIN_SECONDS = 0.5
"""How long anybody waits where the same code could not be used before."""

_PATH = re.compile(r"([^\W\d]\w*(?:\.[^\W\d]\w*)*):([^\W\d]\w*(?:\.[^\W\d]\w*)*)")


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of code that tasks name: what it is called, what it derives from, and the names that are built in."""

    word: str
    group: str
    base: type
    built_in: Mapping[str, Any]


_folders: list[Path] = []
_found: dict[tuple[str, str], type[Any]] = {}
_faults: dict[tuple[str, str], tuple[float, str, str]] = {}
_under_way: dict[str, tuple[tuple[str, str], Import]] = {}
_beginning = threading.Lock()
_unread = 0
# The hash of each module's source, from when it was read: what a file says later is not what runs.
_sources: dict[str, str] = {}


class Unread(Blocked):
    """This command does not run a stranger's code, so it cannot say anything about it."""


class Beginning(Blocked):
    """Its import has only begun, and nobody waits for it here: nothing speaks against the code so far."""


@contextmanager
def unread() -> Iterator[None]:
    """For commands that only look: nobody's code is imported meanwhile, and `find` raises Unread."""
    global _unread
    _unread += 1
    try:
        yield
    finally:
        _unread -= 1


def is_unread() -> bool:
    """True within `unread`."""
    return _unread > 0


def is_path(name: str) -> bool:
    """True for what is meant as the path of a class, not as a name."""
    return ":" in name


def check(name: str, kind: Kind) -> None:
    """Raise ValueError for what is neither a known name nor spelled like the path of a class; imports nothing."""
    if is_path(name):
        if not _PATH.fullmatch(name):
            raise ValueError(
                f'"{shown(name)}" is not the path of a class; expected one such as {_example(kind)}'
            )
    elif name not in kind.built_in and name not in offered(kind.group):
        known = dict.fromkeys([*kind.built_in, *offered(kind.group)])
        near = did_you_mean(name, known)
        if not near and _PATH.fullmatch(":".join(name.rsplit(".", 1))):
            near = f'; the path of a class is written "{":".join(shown(name).rsplit(".", 1))}"'
        raise ValueError(
            f'found the text "{shown(name, 60)}", expected {", ".join(known)} or one of your own, such as '
            f"{_example(kind)}{near}"
        )


def importable(folder: Path) -> None:
    """Let modules that lie in `folder` be imported; whatever else is called alike comes first."""
    if folder not in _folders:
        _folders.append(folder)
    if str(folder) not in sys.path:
        sys.path.append(str(folder))


@cache
def offered(group: str) -> Mapping[str, tuple[EntryPoint, ...]]:
    """What installed packages offer in a group of entry points, by name."""
    from importlib.metadata import entry_points

    found: dict[str, tuple[EntryPoint, ...]] = {}
    for point in entry_points(group=group):
        found[point.name] = (*found.get(point.name, ()), point)
    return found


def find(
    name: str, kind: Kind, monotonic: Callable[[], float] = time.monotonic, *, wait: bool = True
) -> type[Any]:
    """The class behind a path or the name of an entry point; raises NotFound for an unknown name, Blocked saying why
    the code cannot be used, which may be that it takes too long. Without `wait` its import only begins: Beginning."""
    key = (kind.group, name)
    if key in _found:
        return _found[key]
    if not is_path(name) and name not in offered(kind.group):
        known = dict.fromkeys([*kind.built_in, *offered(kind.group)])
        near = nearest(name, known)
        raise NotFound(
            f"there is no {kind.word} {name!r}",
            f"did you mean {near}?" if near else f"known are {', '.join(known)}",
        )
    if _unread:
        raise Unread(f"{shown(name)} was not looked at")
    fault = _faults.get(key)
    if fault is not None and monotonic() - fault[0] < RETRY_SECONDS:
        raise Blocked(*fault[1:])
    patience = PATIENCE_SECONDS if fault is None else AGAIN_SECONDS
    while True:
        whose, under_way = _begin(key, kind, monotonic)
        if not under_way.wait(patience if wait else 0.0):
            if not wait and fault is None and under_way.age < patience:
                raise Beginning(f"{shown(name)} is being imported")
            raise Blocked(*(fault[1:] if fault is not None else _unfinished(name, under_way)))
        if key in _found:
            return _found[key]
        # Else it was another class of the same module that was looked for.
        if whose == key:
            raise Blocked(*_faults[key][1:])


def _begin(
    key: tuple[str, str], kind: Kind, monotonic: Callable[[], float]
) -> tuple[tuple[str, str], Import]:
    """The import of this code, or the one that its module is under already: never two at once."""
    name = key[1]
    try:
        path = _path_of(name, kind)
        work = partial(_look, key, path, kind, monotonic)
    except Blocked as fault:
        path, work = name, partial(_note, key, fault, monotonic)
    module = path.partition(":")[0]
    with _beginning:
        known = _under_way.get(module)
        if known is None or known[1].is_done:
            known = _under_way[module] = key, Import(module, work)
        return known


def _look(key: tuple[str, str], path: str, kind: Kind, monotonic: Callable[[], float]) -> None:
    try:
        _found[key] = _checked(*_imported(path), kind)
    except Blocked as fault:
        _note(key, fault, monotonic)
    except BaseException as error:  # a thread that dies in silence would leave everybody in the dark
        _note(key, Blocked(told(error)), monotonic)


def _note(key: tuple[str, str], fault: Blocked, monotonic: Callable[[], float]) -> None:
    _faults[key] = monotonic(), f"{shown(key[1])} cannot be used: {fault.message}", fault.hint


def _unfinished(name: str, under_way: Import) -> tuple[str, str]:
    place = under_way.place(_folders)
    return (
        f"{shown(name)} cannot be used: its module does not finish importing{f' ({place})' if place else ''}",
        "nothing at the top of a module should wait; it is used as soon as it is there",
    )


def source_mark(kind: type[Any]) -> str:
    """A hash of the source that a class of your own is made of, as it was read; empty for what Stoma brings along.

    It counts the modules of the class and of what it derives from, not what these import.
    """
    modules = dict.fromkeys(
        base.__module__ for base in kind.__mro__ if base.__module__.partition(".")[0] not in _NOT_OWN
    )
    return "-".join(_source_of(module) for module in modules)


_NOT_OWN = frozenset({"stoma", *sys.stdlib_module_names})


def _source_of(module: str) -> str:
    if module not in _sources:
        _sources[module] = _hash_of(getattr(sys.modules.get(module), "__file__", None))
    return _sources[module]


def _note_source(module: str) -> None:
    """Hash a module that is about to be read: should it be written meanwhile, its new text counts as another one."""
    if module not in sys.modules:
        with suppress(Exception, SystemExit):  # whatever is wrong with it, the import says so
            found = importlib.util.find_spec(module)
            _sources[module] = _hash_of(found.origin if found is not None else None)


def _hash_of(file: str | None) -> str:
    try:
        return blake2b(Path(file).read_bytes(), digest_size=8).hexdigest() if file else ""
    except OSError:
        return ""


def _path_of(name: str, kind: Kind) -> str:
    if is_path(name):
        return name
    points = offered(kind.group)[name]
    if len({point.value for point in points}) > 1:
        packages = " and ".join(sorted(point.dist.name if point.dist else "?" for point in points))
        raise Blocked(
            f"{packages} both offer a {kind.word} of this name", "name the class itself, as module:Class"
        )
    return f"{points[0].module}:{points[0].attr}"


def _imported(path: str) -> tuple[Any, Any]:
    """The module that a path names, and what it names in it."""
    match = _PATH.fullmatch(path)
    if match is None:
        raise Blocked(f"{shown(path)} is not the path of a class", "it is written package.module:Class")
    name, attributes = match.groups()
    # A file may have been written since the folder was looked at.
    importlib.invalidate_caches()
    _note_source(name)
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if name == missing or name.startswith(f"{missing}."):
            raise Blocked(
                f'there is no module "{missing}"{did_you_mean(missing, _modules())}', _places()
            ) from None
        raise Blocked(told(error, name), f"install {missing}, or mend the import") from None
    except BaseException as error:  # it is a stranger's code, and must not end the scheduler
        raise Blocked(told(error, name), "mend the file; it is tried again by itself") from None
    found = module
    for part in attributes.split("."):
        try:
            found = getattr(found, part)
        except Exception:
            near = did_you_mean(part, [word for word in dir(found) if not word.startswith("_")])
            # Another module may be called alike, and then it is not the file that was meant.
            where = getattr(module, "__file__", None) or "it is built into Python"
            raise Blocked(f'the module {name} has no "{part}"{near}', f"the module is {where}") from None
    return module, found


def _checked(module: Any, found: Any, kind: Kind) -> type[Any]:
    """What was found, if it is a class that can be used; the proof is one object of it."""
    where = f"the module is {getattr(module, '__file__', '')}"
    article = f"a {kind.base.__name__}"
    if not isinstance(found, type):
        raise Blocked(f"it is a value of type {type(found).__name__}, not a class", where)
    if not issubclass(found, kind.base):
        raise Blocked(
            f"it is not {article}", f"class {found.__name__}({kind.base.__name__}) makes it one; {where}"
        )
    missing = sorted(getattr(found, "__abstractmethods__", ()))
    if missing:
        raise Blocked(f"it does not define {', '.join(missing)}", where)
    try:
        found()
    except BaseException as error:
        raise Blocked(f"{told(error)} when it is made without arguments", where) from None
    return found


def told(error: BaseException, module: str = "") -> str:
    """What went wrong in a stranger's code, and where in it; `module` stands where no line is known."""
    if isinstance(error, SyntaxError):
        place = f"{Path(error.filename or '').name}, line {error.lineno}"
        text = error.msg
    else:
        ours = {__file__, importlib.__file__}
        frames = [
            frame
            for frame in traceback.extract_tb(error.__traceback__)
            if not frame.filename.startswith("<frozen") and frame.filename not in ours
        ]
        # The line that a person can mend, not one deep inside a library.
        near = [
            frame for frame in frames if any(map(Path(frame.filename).is_relative_to, _folders))
        ] or frames
        place = f"{Path(near[-1].filename).name}, line {near[-1].lineno}" if near else module
        text = str(error)
    text = " ".join(f"{type(error).__name__}: {text}".split()).rstrip(": ")
    return f"{shown(mask(text), 300)} ({place})" if place else shown(mask(text), 300)


def _modules() -> Iterator[str]:
    """The modules that lie beside stoma.yaml."""
    for folder in _folders:
        for path in folder.glob("*.py"):
            yield path.stem
        for path in folder.glob("*/__init__.py"):
            yield path.parent.name


def _places() -> str:
    return f"looked for among installed packages{''.join(f', and in {folder}' for folder in _folders)}"


def _example(kind: Kind) -> str:
    return f"my_source:My{kind.word.capitalize()}"
