-- A row's number in the index of words: that of the record, shifted by 20 bits, and the version's last 20 bits.

-- name: search_ids
-- The newest hits. The index gives them in this order, so it stops when there are enough.
select e.record_id as id
from search_words w cross join search_entries e
    on e.record_id = w.rowid >> 20 and e.version & 1048575 = w.rowid & 1048575
where w.words match :query and w.rowid >= :low << 20 and w.rowid < (:high + 1) << 20
{if since: and e.first_seen_at >= :since}
{if until: and e.first_seen_at < :until}
{if task_id: and exists (
    select 1 from records r join sightings s
        on s.task_id = :task_id and s.source = r.source and s.external_id = r.external_id
    where r.id = e.record_id
)}
order by w.rowid desc limit :limit;

-- name: search_changed
-- The records with these external ids that are not in the index as they are now.
select r.id from records r left join search_entries e on e.record_id = r.id
where r.source = :source and r.external_id in (select value from json_each(:ids))
    and (e.version is null or e.version < r.version)
order by r.id limit :limit;

-- name: search_fresh
-- Of records as they were read, those that still are so, and that the index does not have.
select r.id from json_each(:rows) x join records r on r.id = x.value ->> 'id' and r.version = x.value ->> 'version'
left join search_entries e on e.record_id = r.id
where e.version is null or e.version < r.version;

-- name: search_entries_write
insert into search_entries (record_id, version, first_seen_at)
select r.id, r.version, r.first_seen_at
from json_each(:rows) x join records r on r.id = x.value ->> 'id' and r.version = x.value ->> 'version'
where true
on conflict (record_id) do update set version = excluded.version where search_entries.version < excluded.version;

-- name: search_words_empty
insert into search_words (search_words) values ('delete-all');

-- name: search_lag
-- How many records are not in the index yet, at most, and since when the oldest of them waits.
select sum(added + json_array_length(changed_ids)) as records, min(stored_at) as stored_at from search_queue;

-- name: search_by_index
-- Nothing to say: the index of words is asked first as it is.
select 1 as said;

-- name: search_tidy
select 1 as done;
