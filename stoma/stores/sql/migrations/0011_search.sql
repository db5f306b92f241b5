-- What the index of words has still to take up, page by page: it is built right behind the writer.
-- An earlier program would store records and leave no word of them here, so it must not go on.
-- min_program: 0.1.0

create table search_queue (
    id {identity},
    source text not null,
    -- The `first_seen_at` of the records that the page brought.
    stored_at {instant} not null,
    -- How many it brought.
    added bigint not null,
    -- The external ids of those that it changed.
    changed_ids {json} not null
);

-- What was stored before there was an index.
insert into search_queue (source, stored_at, added, changed_ids)
select source, first_seen_at, count(*), '[]' from records group by source, first_seen_at order by first_seen_at;
