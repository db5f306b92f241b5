-- The tables of Stoma. {words in braces} are spelled by each database its own way.
-- Public tables first: documented for users and stable.

create table records (
    id {identity},
    source text not null,
    external_id text not null,
    kind text not null,
    title text not null,
    summary text not null,
    url text not null,
    authors {json} not null,
    tags {json} not null,
    published_at {instant},
    updated_at {instant},
    attributes {json} not null,
    content_hash text not null,
    version integer not null,
    first_seen_at {instant} not null,
    last_seen_at {instant} not null,
    unique (source, external_id)
);
create index records_by_kind on records (kind, id);
create index records_by_published on records (published_at desc, id desc);
create index records_by_first_seen on records (first_seen_at, id);

-- Superseded versions only: the current one is the record.
create table record_versions (
    source text not null,
    external_id text not null,
    version integer not null,
    title text not null,
    summary text not null,
    url text not null,
    authors {json} not null,
    tags {json} not null,
    published_at {instant},
    updated_at {instant},
    attributes {json} not null,
    content_hash text not null,
    superseded_at {instant} not null,
    run_id bigint,
    primary key (source, external_id, version)
);

-- Which task saw which record first and last.
create table sightings (
    task_id text not null,
    source text not null,
    external_id text not null,
    first_seen_at {instant} not null,
    last_seen_at {instant} not null,
    run_id bigint,
    primary key (task_id, source, external_id)
);
create index sightings_by_record on sightings (source, external_id);

-- What is measured again and again about a record.
create table observations (
    source text not null,
    external_id text not null,
    measure text not null,
    value double precision not null,
    observed_at {instant} not null,
    run_id bigint not null,
    primary key (source, external_id, measure, observed_at, run_id)
);

-- Items that could not be normalised.
create table rejects (
    id {identity},
    task_id text not null,
    run_id bigint not null,
    external_id text not null,
    reason text not null,
    item {json} not null,
    rejected_at {instant} not null
);
create index rejects_by_task on rejects (task_id, id);

create table runs (
    id {identity},
    task_id text not null,
    trigger text not null,
    scope text not null,
    scheduled_for {instant},
    status text not null,
    reason text,
    attempt integer not null default 0,
    not_before {instant},
    priority text not null,
    -- When it came plus what its priority costs: the order of the queue, so that waiting counts.
    queue_at {instant} not null,
    host text,
    config_hash text not null,
    fence bigint not null default 0,
    owner text,
    lease_until {instant},
    created_at {instant} not null,
    started_at {instant},
    finished_at {instant},
    pages integer not null default 0,
    seen bigint not null default 0,
    new bigint not null default 0,
    changed bigint not null default 0,
    unchanged bigint not null default 0,
    rejected bigint not null default 0,
    error text,
    unique (task_id, trigger)
);
-- One run of a task at a time, whoever claims it.
create unique index runs_running on runs (task_id) where status = 'running';
create index runs_open on runs (queue_at, id) where status in ('pending', 'running', 'interrupted');
create index runs_open_of_task on runs (task_id) where status in ('pending', 'running', 'interrupted');
create index runs_ended on runs (status, id) where finished_at is not null;
create index runs_by_task on runs (task_id, id);
create index runs_running_by_host on runs (host) where status = 'running';

create table attempts (
    run_id bigint not null,
    fence bigint not null,
    attempt integer not null,
    owner text not null,
    started_at {instant} not null,
    finished_at {instant},
    status text not null,
    error text,
    primary key (run_id, fence)
);

-- Consecutive due instants that became no run.
create table skips (
    id {identity},
    task_id text not null,
    first {instant} not null,
    last {instant} not null,
    count bigint not null,
    reason text not null,
    detail text not null
);
create index skips_by_task on skips (task_id, last);

-- Up to accounted_until each due instant of a task is a run or lies in a skip.
create table agenda (
    task_id text primary key,
    schedule_hash text not null,
    valid_since {instant} not null,
    accounted_until {instant} not null,
    -- The skip that the next skipped instant may extend; null after a run.
    skip_id bigint,
    -- When the task was seen to be declared no more; what was due while it was away never fires.
    removed_at {instant}
);

create table cursors (
    task_id text primary key,
    fingerprint text not null,
    position {json} not null,
    run_id bigint not null,
    moved_at {instant} not null
);

create table progress (
    task_id text not null,
    scope text not null,
    fingerprint text not null,
    "window" {json} not null,
    page {json} not null,
    run_id bigint not null,
    saved_at {instant} not null,
    primary key (task_id, scope)
);

-- Stoma's own tables.

create table nodes (
    owner text primary key,
    hostname text not null,
    pid bigint not null,
    version text not null,
    api_url text,
    config_hash text not null,
    generation integer not null,
    started_at {instant} not null,
    heartbeat_at {instant} not null,
    state {json} not null
);

create table task_overrides (
    task_id text primary key,
    enabled {boolean} not null,
    changed_at {instant} not null
);

-- Instants as microseconds since the epoch, so that one statement can reckon with them on either database.
create table host_budgets (
    host text primary key,
    next_at bigint not null,
    cooling_until bigint not null,
    reason text not null,
    -- How many connections the host takes at once; null: any number.
    concurrency integer
);

create table connections (
    id {identity},
    host text not null,
    expires_at bigint not null,
    owner text not null
);
create index connections_by_host on connections (host);

create view papers as
select
    id,
    external_id as arxiv_id,
    title,
    summary as abstract,
    authors,
    tags as categories,
    {text:attributes:primary_category} as primary_category,
    {int:attributes:version} as arxiv_version,
    {text:attributes:doi} as doi,
    {text:attributes:journal_ref} as journal_ref,
    {text:attributes:comment} as comment,
    {text:attributes:pdf_url} as pdf_url,
    url,
    published_at as submitted_at,
    updated_at,
    version,
    first_seen_at,
    last_seen_at
from records
where source = 'arxiv' and kind = 'paper';
