"""What is wrong and not over yet, over HTTP."""

from __future__ import annotations

from stoma.api.answers import Answer, Asked


def alerts(asked: Asked) -> Answer:
    """What is wrong and not over yet, the oldest first: tasks, rejected files, the network."""
    return Answer({"alerts": [alert.as_dict() for alert in asked.scheduler.store.alerts.open()]})
