-- Compared as rows, and ordered by what is the same in all of them: else the planner walks all records from the newest
-- where a kind is common, and has a long way to go where all of that kind are old.

-- name: question_list_of_kind
select * from records
where (kind, first_seen_at) <= (:kind, :at) and (kind, first_seen_at) >= (:kind, :since)
    {if below: and (first_seen_at < :at or id < :below)}
order by kind desc, first_seen_at desc, id desc limit :limit;

-- name: question_list_of_source
-- Of one kind: the index knows the order within each.
select * from records
where (source, kind, first_seen_at) <= (:source, :kind, :at) and (source, kind, first_seen_at) >= (:source, :kind, :since)
    {if below: and (first_seen_at < :at or id < :below)}
order by source desc, kind desc, first_seen_at desc, id desc limit :limit;

-- name: question_list_of_task
-- `offset 0`: one look into the index for each, whatever the planner thinks of how many there are.
-- By when the task saw them first: a record is never stored after it was seen.
select r.* from sightings s cross join lateral (
    select * from records where source = s.source and external_id = s.external_id offset 0
) r
where s.task_id = :task_id
    {if kind: and r.kind = :kind}
    {if source: and s.source = :source}
    and s.first_seen_at <= :at and s.first_seen_at >= :since and r.first_seen_at >= :since
    {if until: and r.first_seen_at < :until}
    {if below: and (s.first_seen_at < :at or r.id < :below)}
order by s.first_seen_at desc, r.id desc limit :limit;

-- name: question_count_of_task
select kind, count(*) as count from (
    select r.kind from sightings s cross join lateral (
        select * from records where source = s.source and external_id = s.external_id offset 0
    ) r
    where s.task_id = :task_id and s.first_seen_at >= :since {if source: and s.source = :source}
        and r.first_seen_at >= :since
        {if kind: and r.kind = :kind}
    limit :most
) counted
group by kind order by kind;

-- name: question_changed
-- Records that were there before, and what they last said otherwise; of very many changes only the latest. Where a list
-- goes on, what changed after its first page was `seen` counts as it stood then.
select r.*, v.superseded_at, v.run_id from (
    select source, external_id, version, superseded_at, run_id from record_versions
    where superseded_at >= :since {if source: and source || '' = :source} {if at: and superseded_at <= :at}
    order by superseded_at desc limit :most
) v
cross join lateral (
    select * from records
    where source = v.source and external_id = v.external_id offset 0
) r
where r.first_seen_at < :since
    and (r.version = v.version + 1 {if seen: or not exists (
        select 1 from record_versions w
        where w.source = v.source and w.external_id = v.external_id and w.version = v.version + 1
            and w.superseded_at <= :seen
    )})
    {if kind: and r.kind = :kind}
    {if below: and (v.superseded_at < :at or r.id < :below)}
    {if task_id: and exists (
        select 1 from sightings s
        where s.task_id = :task_id and s.source = r.source and s.external_id = r.external_id
    )}
order by v.superseded_at desc, r.id desc limit :limit;

-- name: question_changed_count
-- Those that were there before, and the new ones.
select kind, is_new, count(*) as count from (
    select r.kind, r.first_seen_at >= :since as is_new from (
        select source, external_id, version from record_versions
        where superseded_at >= :since {if source: and source || '' = :source}
        order by superseded_at desc limit :most
    ) v
    cross join lateral (
        select * from records
        where source = v.source and external_id = v.external_id and version = v.version + 1 offset 0
    ) r
    where true
        {if kind: and r.kind = :kind}
        {if task_id: and exists (
            select 1 from sightings s
            where s.task_id = :task_id and s.source = r.source and s.external_id = r.external_id
        )}
) counted
group by kind, is_new order by kind;

-- name: measured
-- Values by external id, together for each instant, source and measure, the newest first; instants are no measures.
select observed_at, source, measure, json_object_agg(external_id, value)::text as told from observations
where observed_at <= :until
    {if after: and observed_at > :after} {if since: and observed_at >= :since} {if source: and source || '' = :source}
    and measure not like '%\_at' escape '\'
group by observed_at, source, measure
order by observed_at desc;

-- name: question_some
-- Some records of a source, where a task is given only those that it has seen.
select r.* from jsonb_array_elements_text(:ids) as wanted(id)
cross join lateral (
    select * from records where source = :source and external_id = wanted.id offset 0
) r
where true
    {if task_id: and exists (
        select 1 from sightings s
        where s.task_id = :task_id and s.source = r.source and s.external_id = r.external_id
    )};

-- name: question_said
-- What records of a source said at a moment, of those that have changed since.
select v.* from jsonb_array_elements_text(:ids) as wanted(id)
cross join lateral (
    select * from record_versions
    where source = :source and external_id = wanted.id and superseded_at >= :since
    order by version limit 1
) v;

-- name: measured_then
-- What a measure of some records of a source was at a moment.
select o.* from jsonb_array_elements_text(:ids) as wanted(id)
cross join lateral (
    select external_id, value, observed_at from observations
    where source = :source and external_id = wanted.id and measure = :measure and observed_at <= :at
    order by observed_at desc, run_id desc limit 1
) o;
