"""What most commands begin with: the configuration, and the store it names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from stoma.scheduler.config import Config
    from stoma.stores import Store


@dataclass(frozen=True, slots=True)
class Opened:
    """A configuration with its store."""

    config: Config
    store: Store


def config_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--config FILE`: another stoma.yaml; relative paths count from it."""
    return click.option(
        "--config",
        "config_file",
        type=click.Path(path_type=Path, dir_okay=False),
        envvar="STOMA_CONFIG",
        metavar="FILE",
        help="Use this stoma.yaml; relative paths count from it.  [default: ./stoma.yaml]",
    )(command)


def json_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--json`: for programs."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def load(config_file: Path | None, presets: Sequence[str] = ()) -> Config:
    """The configuration; raises ConfigError with every fault of every file."""
    from stoma.scheduler.config import load_config

    return load_config(config_file, presets=presets)


@contextmanager
def opened(config_file: Path | None, presets: Sequence[str] = ()) -> Iterator[Opened]:
    """The configuration and its store, closed at the end."""
    from stoma.scheduler.parts import connect

    config = load(config_file, presets)
    with connect(config) as store:
        yield Opened(config, store)
