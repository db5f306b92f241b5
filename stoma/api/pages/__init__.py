"""Pages for people: made here on each request, whole without scripts."""

from __future__ import annotations

from stoma.api.pages import (
    calendar,
    changes,
    config,
    hosts,
    overview,
    plots,
    record,
    records,
    run,
    runs,
    sign_in,
    static,
    task,
    tasks,
)
from stoma.api.route import Route

PAGES: tuple[Route, ...] = (
    Route("GET", "/", overview.page, page=True),
    Route("POST", "/pause", overview.pause, form=True, page=True),
    Route("POST", "/resume", overview.resume, form=True, page=True),
    Route("GET", "/tasks", tasks.page, tasks.PARAMS, page=True),
    Route("GET", "/tasks/<task_id>", task.page, page=True),
    Route("GET", "/tasks/<task_id>/why", task.why, task.WHY_PARAMS, page=True),
    Route("POST", "/tasks/<task_id>/run", tasks.run, form=True, page=True),
    Route("POST", "/tasks/<task_id>/enable", tasks.enable, form=True, page=True),
    Route("POST", "/tasks/<task_id>/disable", tasks.disable, form=True, page=True),
    Route("GET", "/hosts", hosts.page, page=True),
    Route("POST", "/hosts/<host>/reset", hosts.reset, form=True, page=True),
    Route("GET", "/calendar", calendar.page, calendar.PARAMS, page=True),
    Route("GET", "/config", config.page, page=True),
    Route("GET", "/runs", runs.page, runs.PARAMS, page=True),
    Route("GET", "/runs/<run_id>", run.page, run.PARAMS, page=True),
    Route("POST", "/runs/<run_id>/cancel", runs.cancel, form=True, page=True),
    Route("POST", "/runs/<run_id>/retry", runs.retry, form=True, page=True),
    Route("GET", "/records", records.page, records.PARAMS, page=True),
    Route("GET", "/records/<number>", record.by_number, record.PARAMS, page=True),
    Route("GET", "/records/<source>/<external_id:path>", record.page, record.PARAMS, page=True),
    Route("GET", "/changes", changes.page, changes.PARAMS, page=True),
    Route("GET", "/tasks/<task_id>/plot/<name>.svg", plots.task_plot, (plots.BY,)),
    Route("GET", "/plots/records/<number>.svg", plots.record_plot, (plots.MEASURE,)),
    Route("GET", "/sign-in", sign_in.page, sign_in.PARAMS, page=True),
    Route("POST", "/sign-in", sign_in.sign_in, form=True, page=True),
    Route("POST", "/sign-out", sign_in.sign_out, form=True, page=True),
    Route("GET", "/static/<name>", static.file, static.PARAMS),
)
