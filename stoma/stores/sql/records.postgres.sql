-- One look into the index for each id: `offset 0` keeps the planner from a filter over all rows of a source, which
-- it prefers while a table is young and has no statistics.

-- name: record_hashes
-- What is known of the records of one page.
select known.* from jsonb_array_elements_text(:ids) as wanted(id)
cross join lateral (
    select external_id, content_hash, last_seen_at from records
    where source = :source and external_id = wanted.id offset 0
) known;

-- name: sighting_known
-- What the task saw of the records of one page, and when they changed last.
select known.* from jsonb_array_elements_text(:ids) as wanted(id)
cross join lateral (
    select external_id, last_seen_at,
        (select superseded_at from record_versions v
         where v.source = sightings.source and v.external_id = sightings.external_id
         order by version desc limit 1) as changed_at
    from sightings
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
