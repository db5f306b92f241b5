-- When a record of a source was last changed: an answer from before then is not taken as read.
create table source_changes (
    source text primary key,
    changed_at {instant} not null
);
