"""What is in force: the generation, the files with their faults, what only a restart brings."""

from __future__ import annotations

from pathlib import Path

from stoma.api.answers import Asked, Document
from stoma.api.pages import render
from stoma.scheduler.files import shown_name
from stoma.scheduler.plan import settings_of

MOST_FILES = 200
MOST_CHANGES = 10


def page(asked: Asked) -> Document:
    """The configuration in force."""
    scheduler = asked.scheduler
    config = scheduler.config
    faulty = {problem.file for problem in scheduler.errors}
    files = [(shown_name(Path(name), config.base), mark[:12]) for name, mark in config.files.items()]
    status = scheduler.board.look().status
    return render.page(
        asked,
        "config.html",
        generation=scheduler.generation,
        loaded_at=scheduler.loaded_at,
        hash=config.hash,
        built_in=config.built_in,
        files=files[:MOST_FILES],
        left_out=max(0, len(files) - MOST_FILES),
        faulty=faulty,
        presets=config.presets,
        settings={key: text for key, text in settings_of(config).items() if text is not None},
        nodes=status["nodes"],
        store=status["store"],
        changes=scheduler.store.audit.latest(limit=MOST_CHANGES),
    )
