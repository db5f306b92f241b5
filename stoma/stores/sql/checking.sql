-- What has to be true of what is stored: each statement counts the exceptions and names one.

-- name: check_versions
-- The superseded versions of a record are 1, 2, 3 up to the one before the present one.
select count(*) as count, min(r.source || ':' || r.external_id) as example from records r
where r.id > :after and r.id <= :until and (
    (select count(*) from record_versions v
     where v.source = r.source and v.external_id = r.external_id and v.version < r.version) <> r.version - 1
    or exists (select 1 from record_versions v
               where v.source = r.source and v.external_id = r.external_id and v.version >= r.version)
);

-- name: check_lost_versions
-- They would be in the way of the record, should it come again.
select count(*) as count, min(v.source || ':' || v.external_id) as example from record_versions v
where not exists (select 1 from records r where r.source = v.source and r.external_id = v.external_id);

-- name: check_runs
-- What is under way has an owner and a deadline; what is over has an end, and nothing else has.
select count(*) as count, min(id) as example from runs
where (status = 'running' and (owner is null or lease_until is null))
    or (finished_at is null and status not in ('pending', 'running', 'interrupted'))
    or (finished_at is not null and status in ('pending', 'running', 'interrupted'));

-- name: check_attempts
select count(*) as count, min(run_id) as example from attempts a
where not exists (select 1 from runs r where r.id = a.run_id);

-- name: check_cursors
-- A cursor moves only with the end of a run that completed.
select count(*) as count, min(task_id) as example from cursors c
where not exists (
    select 1 from runs r where r.id = c.run_id and r.task_id = c.task_id and r.status = 'completed'
);

-- name: check_progress
select count(*) as count, min(task_id) as example from progress p
where not exists (select 1 from runs r where r.id = p.run_id and r.task_id = p.task_id);

-- name: check_agenda
select count(*) as count, min(task_id) as example from agenda a
where a.accounted_until < a.valid_since
    or (a.skip_id is not null and not exists (select 1 from skips s where s.id = a.skip_id and s.task_id = a.task_id));

-- name: last_record
select coalesce(max(id), 0) as id from records;

-- name: schema_number
select max(number) as number from schema_migrations;

-- name: table_rows
-- How much is in the tables that grow, and from when to when.
select 'records' as name, count(*) as count, min(first_seen_at) as oldest_at, max(first_seen_at) as newest_at from records
union all select 'record_versions', count(*), min(superseded_at), max(superseded_at) from record_versions
union all select 'sightings', count(*), min(first_seen_at), max(last_seen_at) from sightings
union all select 'observations', count(*), min(observed_at), max(observed_at) from observations
union all select 'rejects', count(*), min(rejected_at), max(rejected_at) from rejects
union all select 'runs', count(*), min(created_at), max(created_at) from runs
union all select 'attempts', count(*), min(started_at), max(started_at) from attempts
union all select 'skips', count(*), min(first), max(last) from skips
union all select 'run_logs', count(*), min(logged_at), max(logged_at) from run_logs
union all select 'raw_pages', count(*), min(fetched_at), max(fetched_at) from raw_pages
union all select 'search_entries', count(*), min(first_seen_at), max(first_seen_at) from search_entries;
