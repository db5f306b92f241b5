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
    changed_ids {json} not null,
    -- Instead of a page: all records with numbers above the one, up to the other.
    after_id bigint,
    up_to_id bigint
);

-- What was stored before there was an index.
insert into search_queue (source, stored_at, added, changed_ids, after_id, up_to_id)
select '', min(first_seen_at), count(*), '[]', 0, max(id) from records having count(*) > 0;
