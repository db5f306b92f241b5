"""What most commands begin with: the configuration, and the store it names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from stoma.errors import ConfigError, Problem
    from stoma.scheduler.config import Config
    from stoma.scheduler.loader import Loader
    from stoma.stores import Store

MOMENTS = "30m (minutes), 12h, 7d, 2026-01-31, today"
"""What `--since` and `--until` take, as their help says it."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A configuration with its store; `errors` tell of broken files, for which their last good texts stand."""

    config: Config
    store: Store
    errors: Sequence[Problem] = ()


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


def load(config_file: Path | None, presets: Sequence[str] = (), *, with_code: bool = False) -> Config:
    """The configuration; raises ConfigError with every fault of every file, `with_code` also of code of your own."""
    from stoma.scheduler.config import load_config
    from stoma.scheduler.lastgood import on_disk
    from stoma.scheduler.loader import Loader

    config = load_config(config_file, presets=presets, with_code=with_code)
    if config.built_in:
        config = on_disk(Loader(presets=presets))
        tell_built_in(config)
    return config


def tell_built_in(config: Config) -> None:
    """Say why there are tasks although nobody wrote any."""
    from stoma.cli.output import tell_note

    tell_note(f"no stoma.yaml in {config.base}: using the built-in preset `default`")


def load_despite(loader: Loader, *, warn: bool = True) -> tuple[Config, Sequence[Problem]]:
    """The configuration, with the last good text of each broken file and what is wrong with those files.

    Raises ConfigError where there is no last good text.
    """
    from stoma.cli.output import tell_warning
    from stoma.scheduler.lastgood import at_start

    config, problems = at_start(loader)
    for problem in problems if warn else ():
        tell_warning(f"the last good text stands for a broken one: {problem}")
    if config.built_in:
        tell_built_in(config)
    return config, problems


@contextmanager
def opened(
    config_file: Path | None,
    presets: Sequence[str] = (),
    *,
    demo: bool = False,
    warn: bool = True,
    with_code: bool = False,
    must_exist: bool = False,
    on_config: Callable[[Config], object] = lambda config: None,
) -> Iterator[Opened]:
    """The configuration and its store, closed at the end; a broken file is told, and its last good text is used.

    Collectors and normalizers of somebody's own are imported only `with_code`: who looks need not run them. A store
    that `must_exist` is not made: UsageError says that there is none. `on_config` is called before it is opened.

    Where a scheduler runs on these files, its store is meant, also when another one is written there by now.
    """
    from stoma import own
    from stoma.errors import ConfigError
    from stoma.scheduler.loader import Loader

    with ExitStack() as stack:

        def connected(config: Config) -> Store:
            on_config(config)
            return stack.enter_context(_connected(config, must_exist=must_exist))

        if not with_code:
            # To the end of the command: it may judge tasks when the store is closed again.
            command = click.get_current_context(silent=True)
            (command.with_resource if command else stack.enter_context)(own.unread())
        loader = Loader(config_file, presets=presets)
        if demo:
            from stoma.demo.main import stand_in

            loader.amend = stack.enter_context(stand_in())
        try:
            config, errors = load_despite(loader, warn=warn)
        except ConfigError as error:
            here = _of_running(loader, error, connected)
            if here is None:
                raise
            yield here
            return
        config = beside_running(loader, config)
        yield Opened(config, connected(config), errors)


def _connected(config: Config, *, must_exist: bool) -> Store:
    from stoma.errors import NotFound, UsageError
    from stoma.scheduler.parts import DEMO_FOLDER, connect

    try:
        return connect(config, existing=must_exist)
    except NotFound as error:
        elsewhere = "`stoma-run` makes it; if it lies elsewhere, say so in store.url of stoma.yaml"
        if (config.base / DEMO_FOLDER).is_dir():
            elsewhere = "`stoma-run` makes it; what the demo has collected is asked with --demo"
        raise UsageError(error.message, "`stoma-run --demo` makes it" if config.demo else elsewhere) from None


def beside_running(loader: Loader, config: Config) -> Config:
    """The configuration with the store of the scheduler that runs on these files, if it is another one."""
    from stoma.cli.output import tell_warning
    from stoma.scheduler.lastgood import running_url

    url = running_url(loader, besides=config.store_url)
    if url is None:
        return config
    tell_warning(
        "restart needed: store.url was edited; the scheduler that runs works on its store from before"
    )
    return replace(config, store_url=url)


def _of_running(loader: Loader, error: ConfigError, connected: Callable[[Config], Store]) -> Opened | None:
    """What is in force in the scheduler that runs on these files, where nothing else can be told; None without one."""
    from stoma.scheduler.config import Config
    from stoma.scheduler.lastgood import config_in_force, running_url

    url = running_url(loader)
    if url is None:
        return None
    config = loader.amend(Config(base=loader.base, path=loader.path))
    store = connected(replace(config, store_url=url))
    in_force = config_in_force(store, loader.path, loader.base)
    return Opened(loader.amend(in_force) if in_force is not None else config, store, error.problems)
