-- Collecting the past beside the present, what sources said of their answers, and sources that are gone.
-- An earlier program would collect a backfill's window as if it were now, so it must not go on.
-- min_program: 0.1.0

-- One run of a task at a time in each scope: a backfill does not hold up what is due.
drop index runs_running;
create unique index runs_running on runs (task_id, scope) where status = 'running';

-- By what a source recognises the answers that the last completed run accepted.
create table http_validators (
    task_id text not null,
    -- A hash that names the request.
    request text not null,
    -- What was collected and how it was normalised.
    fingerprint text not null,
    etag text not null,
    last_modified text not null,
    -- How many items the answer had.
    item_count bigint not null,
    run_id bigint not null,
    saved_at {instant} not null,
    primary key (task_id, request)
);

-- Tasks whose source said that it is gone for good (410).
create table gone (
    task_id text primary key,
    fingerprint text not null,
    reason text not null,
    run_id bigint not null,
    gone_at {instant} not null
);
