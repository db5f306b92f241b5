-- Raw pages: what sources answered, kept for a while, so that it can be normalised again without asking anybody.

-- One for each answer. `url` and `headers` are masked; `body` is compressed (zlib), `size` is what it was before.
create table raw_pages (
    id {identity},
    task_id text not null,
    run_id bigint not null,
    fence bigint not null,
    -- The page of its attempt, from 0, in whose transaction it was written.
    number integer not null,
    fingerprint text not null,
    -- The hash by which the client knows the request.
    request text not null,
    url text not null,
    status integer not null,
    headers {json} not null,
    body {bytes} not null,
    size bigint not null,
    fetched_at {instant} not null,
    keep_until {instant} not null
);
create index raw_pages_by_attempt on raw_pages (run_id, fence);
create index raw_pages_expiring on raw_pages (keep_until);

-- What an attempt began with, so that its collector can walk the same way again.
create table raw_attempts (
    run_id bigint not null,
    fence bigint not null,
    task_id text not null,
    fingerprint text not null,
    context {json} not null,
    began_at {instant} not null,
    keep_until {instant} not null,
    primary key (run_id, fence)
);
create index raw_attempts_by_task on raw_attempts (task_id);
create index raw_attempts_expiring on raw_attempts (keep_until);

-- Which records each page of an attempt gave: source and external ids, as compressed JSON.
create table raw_given (
    run_id bigint not null,
    fence bigint not null,
    number integer not null,
    ids {bytes} not null,
    saved_at {instant} not null,
    keep_until {instant} not null,
    primary key (run_id, fence, number)
);
create index raw_given_expiring on raw_given (keep_until);
