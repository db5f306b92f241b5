-- What people are told: how each trouble stands, and the messages about it.

create table alerts (
    -- What it is about: `task ID`, `config`, `network`. One row while it lasts.
    about text primary key,
    -- failing, suspect, silence, gone, config or network.
    kind text not null,
    task_id text,
    -- The process that sees it, for what is not the trouble of one task.
    holder text,
    since_at {instant} not null,
    opened_at {instant} not null,
    -- When people were told last, and how often since it became what it is.
    told_at {instant} not null,
    told integer not null,
    -- Runs in a row that did not complete.
    bad_runs integer not null,
    detail text not null
);

-- One row for each message and address; the address is a reference, never what it stands for.
create table outbox (
    id {identity},
    about text not null,
    -- opened, worse, reminder or recovered.
    event text not null,
    kind text not null,
    target text not null,
    address text not null,
    title text not null,
    body text not null,
    -- waiting, sent, dropped (another reminder took its place) or overtaken (by the end of the trouble).
    status text not null,
    created_at {instant} not null,
    not_before {instant} not null,
    tries integer not null default 0,
    -- 1 while it is being sent; a process that ended in between leaves it so, and the next one counts a repeat.
    begun integer not null default 0,
    repeats integer not null default 0,
    owner text,
    lease_until {instant},
    sent_at {instant},
    error text
);
create index outbox_waiting on outbox (target, address, id) where status = 'waiting';
create index outbox_waiting_about on outbox (about) where status = 'waiting';
