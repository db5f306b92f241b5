-- The sweeps through rows that may be old, so that whoever goes on knows where, and `why` knows what is not kept.

create table keeping (
    -- runs, skips, observations or records; clock and held are no sweeps but instants (scheduler/keeping.py).
    what text primary key,
    -- Behind which row it goes on; null when it is over.
    position {json},
    -- What is older than this was deleted, or is being looked for.
    before_at {instant} not null,
    -- Counts the steps: of two processes that make the same one, only one may.
    step bigint not null
);
