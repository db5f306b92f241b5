"""Scheduler and server in one process: what `stoma-run` and `python -m stoma.api.main` start."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from stoma.api.server import Server
from stoma.errors import Blocked, ConfigError, Problem
from stoma.log import logger
from stoma.references import resolve
from stoma.scheduler.config import Config
from stoma.scheduler.loader import Loader
from stoma.scheduler.manager import Scheduler
from stoma.scheduler.sdnotify import Supervisor
from stoma.signals import stopped_by_signals

DEAD = "the scheduler's loop or the server is dead: ending, so that it can be started anew"


def serve(
    config: Config,
    *,
    reload: Loader | None = None,
    with_server: bool = True,
    on_start: Callable[[Scheduler, Server | None], None] = lambda *_: None,
) -> int:
    """Run until SIGTERM or Ctrl-C, then stop in order; a second signal stops at once.

    Gives the exit code: 1 where the loop or the server died.
    """
    # First of all, so that nothing that is started here takes itself for what is supervised.
    supervisor = Supervisor.of()
    scheduler = Scheduler(config, reload=reload)
    scheduler.supervisor = supervisor
    with ExitStack() as stack:
        # First in, last out: also while stopping, a second signal stops at once.
        stack.enter_context(stopped_by_signals(scheduler.ask_to_stop))
        stack.callback(scheduler.stop)
        # Before the port, so that a second one is told who holds the database.
        scheduler.hold()
        server = None
        if with_server:
            _check_tokens(config)
            server = Server(scheduler, config.api.host, config.api.port)
            scheduler.heartbeat.api_url = server.url
        scheduler.start()
        if server is not None:
            server.start()
            stack.callback(server.stop)
        on_start(scheduler, server)
        supervisor.ready()
        is_asked = scheduler.wait_for_end(lambda: server is None or server.is_alive)
        if not is_asked:
            supervisor.status(DEAD)
            logger.critical(DEAD)
        logger.info("stopping: runs end at their next page; press Ctrl-C again to stop at once")
    # What supervises it starts anew what ended without being asked to.
    return 0 if is_asked else 1


def _check_tokens(config: Config) -> None:
    try:
        for token in config.api.tokens:
            resolve(token, config.base)
    except Blocked as error:
        file = str(config.path or Path("stoma.yaml"))
        raise ConfigError([Problem(f"api.tokens: {error.message}", file=file, hint=error.hint)]) from None


if __name__ == "__main__":
    from stoma.cli.run import main

    sys.exit(main())
