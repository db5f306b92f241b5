-- Who saw a record, in one tree instead of three: each page writes as many entries as it has new records.
-- A record begins the key, so that it also tells which tasks saw one.

create table sightings_before as select * from sightings;
drop table sightings;
create table sightings (
    task_id text not null,
    source text not null,
    external_id text not null,
    first_seen_at {instant} not null,
    last_seen_at {instant} not null,
    run_id bigint,
    primary key (source, external_id, task_id)
) without rowid;
insert into sightings (task_id, source, external_id, first_seen_at, last_seen_at, run_id)
select task_id, source, external_id, first_seen_at, last_seen_at, run_id from sightings_before;
drop table sightings_before;
