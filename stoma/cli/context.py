"""What most commands begin with: the configuration, and the store it names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
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


def demo_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--demo`: what `stoma-run --demo` works on."""
    return click.option("--demo", is_flag=True, help="Act on what `stoma-run --demo` works on.")(command)


def load(config_file: Path | None, presets: Sequence[str] = ()) -> Config:
    """The configuration; raises ConfigError with every fault of every file."""
    from stoma.scheduler.config import load_config

    config = load_config(config_file, presets=presets)
    if config.built_in:
        click.echo(f"no stoma.yaml in {config.base}: using the built-in preset `default`", err=True)
    return config


@contextmanager
def opened(config_file: Path | None, presets: Sequence[str] = (), *, demo: bool = False) -> Iterator[Opened]:
    """The configuration and its store, closed at the end."""
    from stoma.scheduler.parts import connect

    config = load(config_file, presets)
    with ExitStack() as stack:
        if demo:
            from stoma.demo.main import stand_in

            config = stack.enter_context(stand_in())(config)
        yield Opened(config, stack.enter_context(connect(config)))
