-- name: look_collected
-- What a task saw for the first time between two instants.
select r.*, s.first_seen_at as sighted_at from sightings s cross join records r
where s.task_id = :task_id and s.first_seen_at >= :since and s.first_seen_at <= :until
    and r.source = s.source and r.external_id = s.external_id
    {if below: and (s.first_seen_at < :until or r.id < :below)}
order by s.first_seen_at desc, r.id desc limit :limit;

-- name: look_changed
-- What a run changed between two instants; of very many changes only the latest are looked at.
select r.*, v.superseded_at from (
    select source, external_id, superseded_at, run_id from record_versions
    where superseded_at >= :since and superseded_at <= :until
    order by superseded_at desc limit :most
) v
cross join records r
where v.run_id = :run_id and r.source = v.source and r.external_id = v.external_id
order by v.superseded_at desc, r.id desc limit :limit;
