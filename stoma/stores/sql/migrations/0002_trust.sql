-- Dependencies, cancelling, pausing, the last good texts of files, and the log of each run.

-- When somebody asked for a run to end.
alter table runs add column cancel_asked_at {instant};

-- What a task with `after` has seen end since its last run.
create table upstream_ends (
    task_id text not null,
    upstream text not null,
    run_id bigint not null,
    status text not null,
    ended_at {instant} not null,
    primary key (task_id, upstream)
);

-- What is switched for everything: `paused`.
create table switches (
    name text primary key,
    is_on {boolean} not null,
    changed_at {instant} not null
);

-- The last good text of each file of a configuration; `base` is the folder that paths count from.
create table config_files (
    base text not null,
    path text not null,
    content text not null,
    digest text not null,
    accepted_at {instant} not null,
    primary key (base, path)
);

create table run_logs (
    id {identity},
    run_id bigint not null,
    logged_at {instant} not null,
    level text not null,
    message text not null
);
create index run_logs_by_run on run_logs (run_id, id);
