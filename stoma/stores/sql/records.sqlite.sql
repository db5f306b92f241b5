-- name: record_standing
-- Those records of one page that are not stored as they are now, or that were not seen lately. `hashes` are by id.
select wanted.key as external_id, known.id, known.content_hash, known.last_seen_at, seen.last_seen_at as sighted_at,
       earlier.superseded_at as changed_at
from json_each(:hashes) as wanted
left join records as known on known.source = :source and known.external_id = wanted.key
left join sightings as seen
    on seen.source = :source and seen.external_id = wanted.key and seen.task_id = :task_id
left join record_versions as earlier
    on known.version > 1 and earlier.source = :source and earlier.external_id = wanted.key
    and earlier.version = known.version - 1
where known.content_hash is not wanted.value
   or known.last_seen_at < :stale or seen.last_seen_at is null or seen.last_seen_at < :stale
   or earlier.superseded_at > seen.last_seen_at;

-- name: sighting_note
-- The task has seen these records.
insert into sightings (task_id, source, external_id, first_seen_at, last_seen_at, run_id)
select :task_id, :source, value, :now, :now, :run_id from json_each(:ids) where true
on conflict (source, external_id, task_id) do update set last_seen_at = excluded.last_seen_at, run_id = excluded.run_id;

-- name: sighting_known
-- What the task saw of the records of one page.
select external_id, last_seen_at from sightings
where task_id = :task_id and source = :source and external_id in (select value from json_each(:ids));

-- name: record_contents
-- What the records of one page say as they are stored.
select external_id, kind, title, summary, url, authors, tags, published_at, updated_at, attributes, content_hash
from records
where source = :source and external_id in (select value from json_each(:ids));
