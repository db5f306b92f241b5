-- One look into the index for each id, as in records.postgres.sql.

-- name: raw_standing
-- What is stored of the records of one page, and which run brought what it says now, and when.
select known.* from jsonb_array_elements_text(:ids) as wanted(id)
cross join lateral (
    select r.external_id, r.content_hash, r.first_seen_at, r.last_seen_at, v.superseded_at, v.run_id as changed_by,
           s.run_id as seen_by
    from records r
    left join record_versions v
        on v.source = r.source and v.external_id = r.external_id and v.version = r.version - 1
    left join sightings s on s.task_id = :task_id and s.source = r.source and s.external_id = r.external_id
    where r.source = :source and r.external_id = wanted.id offset 0
) known;
