-- name: search_ids
-- The newest hits. All are gathered first, for the index has them in no order; so it is asked for some blocks of
-- records at a time. `most` ends it early, with whichever hits came first. `+ 0` keeps the planner from the other index.
with hits as materialized (
    select e.record_id from search_entries e
    where e.words @@ cast(:query as tsquery)
    {if low: and e.record_id + 0 >= :low}
    {if high: and e.record_id + 0 <= :high}
    {if since: and e.first_seen_at >= :since}
    {if until: and e.first_seen_at < :until}
    {if most: limit :most}
)
select hit.id from (select record_id as id from hits order by record_id desc offset 0) hit
where true {if task_id: and exists (
    select 1 from records r join sightings s
        on s.task_id = :task_id and s.source = r.source and s.external_id = r.external_id
    where r.id = hit.id offset 0
)}
limit :limit;

-- name: search_changed
-- The records with these external ids that are not in the index as they are now: one look for each id, as in
-- records.postgres.sql.
select known.id from jsonb_array_elements_text(:ids) as wanted(external_id)
cross join lateral (
    select r.id from records r left join search_entries e on e.record_id = r.id
    where r.source = :source and r.external_id = wanted.external_id and (e.version is null or e.version < r.version)
    offset 0
) known
order by known.id limit :limit;

-- name: search_fresh
-- Of records as they were read, those that still are so, and that the index does not have.
select known.id from jsonb_to_recordset(:rows) as x(id bigint, version integer)
cross join lateral (
    select r.id from records r left join search_entries e on e.record_id = r.id
    where r.id = x.id and r.version = x.version and (e.version is null or e.version < r.version) offset 0
) known;

-- name: search_entries_write
-- By number, so that two nodes that write the same records wait for each other in one direction; and so do those that
-- delete them: no record goes between the look at it and the end of this transaction, so that none leaves its words behind.
insert into search_entries (record_id, version, first_seen_at, words)
select known.id, x.version, known.first_seen_at, cast(x.words as tsvector)
from (select * from jsonb_to_recordset(:rows) as x(id bigint, version integer, words text) order by id) x
cross join lateral (
    select r.id, r.first_seen_at from records r where r.id = x.id and r.version = x.version offset 0 for key share of r
) known
order by known.id
on conflict (record_id) do update set version = excluded.version, words = excluded.words
where search_entries.version < excluded.version;

-- name: search_words_empty
-- Nothing to do: the words are in the entries.
select 1;

-- name: search_lag
-- How many records are not in the index yet, at most, and since when the oldest of them waits.
select sum(added + jsonb_array_length(changed_ids)) as records, min(stored_at) as stored_at from search_queue;

-- name: search_by_index
-- For this transaction: the planner knows nothing of what reading the words costs, which lie apart from their rows, and
-- would read them all for a common word. Compiling takes longer than any of this.
select set_config('enable_seqscan', 'off', true) as said, set_config('jit', 'off', true) as jit;

-- name: search_tidy
-- Sort in what was added: until then every search has to look through it.
select search_tidy() as done;
