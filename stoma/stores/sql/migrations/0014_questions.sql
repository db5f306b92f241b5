-- Lists, newest first, of one kind, of one source, of what one task has seen; and what has changed or risen.

-- Each ends with an instant: what is written comes last in it, and PostgreSQL keeps equal entries as one.
create index records_by_kind_seen on records (kind, first_seen_at);
create index records_by_source_seen on records (source, kind, first_seen_at);
create index sightings_by_task_seen on sightings (task_id, first_seen_at);
create index record_versions_by_time on record_versions (superseded_at);
-- SQLite brings together what was measured at one instant without sorting it.
create index observations_by_time on observations (observed_at, source, measure);
