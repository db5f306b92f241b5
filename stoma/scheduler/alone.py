"""The scheduler as a program of its own: no server, no colours, nothing but ticks."""

from __future__ import annotations

import argparse
from pathlib import Path

from stoma.errors import ConfigError, StomaError
from stoma.log import FORMATS, LEVELS, logger, set_up
from stoma.scheduler.manager import Scheduler
from stoma.scheduler.sdnotify import Supervisor
from stoma.signals import stopped_by_signals


def main() -> int:
    """`python -m stoma.scheduler.manager`: the scheduler alone, without the control server."""
    parser = argparse.ArgumentParser(description="Run the scheduler alone, until SIGTERM or Ctrl-C.")
    parser.add_argument("--config", type=Path, metavar="FILE", help="use this stoma.yaml")
    parser.add_argument("--log-level", type=str.upper, choices=LEVELS, default="INFO")
    parser.add_argument("--log-format", choices=FORMATS, default="human")
    given = parser.parse_args()
    set_up(given.log_level, form=given.log_format)
    try:
        supervisor = Supervisor.of()
        scheduler = Scheduler(given.config)
        scheduler.supervisor = supervisor
        with stopped_by_signals(scheduler.ask_to_stop):
            try:
                scheduler.start()
                supervisor.ready()
                is_asked = scheduler.wait_for_end()
            finally:
                scheduler.stop()
    except ConfigError as error:
        for problem in error.problems:
            logger.error("{}", problem)
        return 2
    except StomaError as error:
        logger.error("{} {}", error.message, error.hint)
        return 2
    # What supervises it starts anew what ended without being asked to.
    return 0 if is_asked else 1
