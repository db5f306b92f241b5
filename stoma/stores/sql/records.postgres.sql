-- One look into the index for each id: `offset 0` keeps the planner from a filter over all rows of a source, which
-- it prefers while a table is young and has no statistics.

-- name: record_standing
-- Those records of one page that are not stored as they are now, or that were not seen lately. `hashes` are by id.
select wanted.id as external_id, known.id, known.content_hash, known.last_seen_at, seen.last_seen_at as sighted_at,
       earlier.superseded_at as changed_at
from jsonb_each_text(:hashes) as wanted(id, content_hash)
left join lateral (
    select id, content_hash, last_seen_at, version from records
    where source = :source and external_id = wanted.id offset 0
) known on true
left join lateral (
    select last_seen_at from sightings
    where source = :source and external_id = wanted.id and task_id = :task_id offset 0
) seen on true
left join lateral (
    select superseded_at from record_versions
    where known.version > 1 and source = :source and external_id = wanted.id and version = known.version - 1 offset 0
) earlier on true
where known.content_hash is distinct from wanted.content_hash
   or known.last_seen_at < :stale or seen.last_seen_at is null or seen.last_seen_at < :stale
   or earlier.superseded_at > seen.last_seen_at;

-- name: sighting_note
-- The task has seen these records.
insert into sightings (task_id, source, external_id, first_seen_at, last_seen_at, run_id)
select :task_id, :source, id, :now, :now, :run_id from jsonb_array_elements_text(:ids) as seen(id)
on conflict (source, external_id, task_id) do update set last_seen_at = excluded.last_seen_at, run_id = excluded.run_id;

-- name: sighting_known
-- What the task saw of the records of one page.
select known.* from jsonb_array_elements_text(:ids) as wanted(id)
cross join lateral (
    select external_id, last_seen_at from sightings
    where task_id = :task_id and source = :source and external_id = wanted.id offset 0
) known;

-- name: record_contents
-- What the records of one page say as they are stored.
select known.* from jsonb_array_elements_text(:ids) as wanted(id)
cross join lateral (
    select external_id, kind, title, summary, url, authors, tags, published_at, updated_at, attributes, content_hash
    from records
    where source = :source and external_id = wanted.id offset 0
) known;
