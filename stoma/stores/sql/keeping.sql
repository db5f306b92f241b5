-- What is deleted when its time is over, a few rows at a time, and how far that has come.

-- name: keeping_all
select * from keeping;

-- name: keeping_begin
-- A sweep begins anew; a limit that was reached before is not given up, unless a clock that was ahead has reached it.
insert into keeping (what, position, before_at, step) values (:what, :position, :before, 0)
on conflict (what) do update set position = excluded.position, before_at = excluded.before_at, step = keeping.step + 1
where keeping.before_at < excluded.before_at or keeping.before_at > :now;

-- name: keeping_note
-- An instant that whoever deletes goes by.
insert into keeping (what, position, before_at, step) values (:what, null, :at, 0)
on conflict (what) do update set before_at = excluded.before_at;

-- name: keeping_drop
delete from keeping where what = :what;

-- name: keeping_move
-- The first statement of each step: no row, and another process has made it already.
update keeping set position = :position, step = step + 1 where what = :what and step = :step;

-- name: kept_since
-- Runs and skips from before this are kept no longer.
select max(before_at) as before_at from keeping where what in ('runs', 'skips');

-- name: old_skips
-- The next skips, and which of them may go: neither the last one of a task nor one that may still grow.
select s.id, case when s.first >= :before and s.first <= :furthest then 1 else 0 end as is_young,
    case when s.last < :before
        and exists (select 1 from skips n where n.task_id = s.task_id and n.last >= s.last and n.id > s.id)
        and s.id not in (select skip_id from agenda where skip_id is not null)
    then 1 else 0 end as may_go
from (select * from skips where id > :after order by id limit :limit) s
order by s.id;

-- name: old_records
select r.id, r.source,
    case when r.first_seen_at >= :before and r.first_seen_at <= :furthest then 1 else 0 end as is_young,
    case when r.last_seen_at < :before then 1 else 0 end as may_go
from (select id, source, first_seen_at, last_seen_at from records where id > :after order by id limit :limit) r
order by r.id;

-- name: next_observations
-- In the order of the key: those of one measure of one record follow one another in time.
select source, external_id, measure, observed_at, run_id from observations
where 1 = 1
    {if source: and (source, external_id, measure, observed_at, run_id)
        > (:source, :external_id, :measure, :observed_at, :run_id)}
order by source, external_id, measure, observed_at, run_id limit :limit;

-- name: observation_forget
delete from observations
where source = :source and external_id = :external_id and measure = :measure
    and observed_at = :observed_at and run_id = :run_id;

-- name: logs_old
-- Lines are numbered as they come: the oldest are the first. Those that a clock wrote which was ahead are passed over, as
-- far as they are not too many, and stay until their time has come; nor are others deleted by a clock that is behind.
select count(*) as count from (
    select logged_at from (select logged_at from run_logs order by id limit :most) f
    where logged_at <= :furthest limit :limit
) l
where logged_at < :before;

-- name: logs_forget
delete from run_logs where id in (
    select id from (
        select id, logged_at from (select id, logged_at from run_logs order by id limit :most) f
        where logged_at <= :furthest limit :limit
    ) l
    where logged_at < :before
);

-- name: logs_old_all
select count(*) as count from run_logs where logged_at < :before;

-- name: rejects_old
select count(*) as count from (
    select rejected_at from (select rejected_at from rejects order by id limit :most) f
    where rejected_at <= :furthest limit :limit
) r
where rejected_at < :before;

-- name: rejects_forget
delete from rejects where id in (
    select id from (
        select id, rejected_at from (select id, rejected_at from rejects order by id limit :most) f
        where rejected_at <= :furthest limit :limit
    ) r
    where rejected_at < :before
);

-- name: rejects_old_all
select count(*) as count from rejects where rejected_at < :before;

-- name: audit_old
select count(*) as count from (
    select happened_at from (select happened_at from audit order by id limit :most) f
    where happened_at <= :furthest limit :limit
) a
where happened_at < :before;

-- name: audit_forget
delete from audit where id in (
    select id from (
        select id, happened_at from (select id, happened_at from audit order by id limit :most) f
        where happened_at <= :furthest limit :limit
    ) a
    where happened_at < :before
);

-- name: audit_old_all
select count(*) as count from audit where happened_at < :before;

-- name: raw_old_all
select count(*) as count from raw_pages where keep_until <= :now;

-- name: runs_forget
-- One that was begun again meanwhile is not over.
delete from runs where id in ({ids}) and finished_at < :before;

-- name: attempts_forget
delete from attempts
where run_id in ({ids}) and not exists (select 1 from runs r where r.id = attempts.run_id);

-- name: skips_forget
delete from skips where id in ({ids}) and last < :before;

-- name: records_hold
-- In the order of their numbers, as whoever puts their words into the index.
select id from records where id in ({ids}) and last_seen_at < :before order by id {for_update};

-- name: record_validators_forget
-- A source that answers "not modified" would never bring back what is deleted.
delete from http_validators where task_id in (
    select s.task_id
    from records r join sightings s on s.source = r.source and s.external_id = r.external_id
    where r.id in ({ids}) and r.last_seen_at < :before
);

-- name: record_sightings_forget
delete from sightings where (task_id, source, external_id) in (
    select s.task_id, s.source, s.external_id
    from records r join sightings s on s.source = r.source and s.external_id = r.external_id
    where r.id in ({ids}) and r.last_seen_at < :before
);

-- name: record_versions_forget
-- All of them at once, for their numbers have no gaps.
delete from record_versions where (source, external_id, version) in (
    select v.source, v.external_id, v.version
    from records r join record_versions v on v.source = r.source and v.external_id = r.external_id
    where r.id in ({ids}) and r.last_seen_at < :before
);

-- name: records_forget
-- Their words go with them.
delete from records where id in ({ids}) and last_seen_at < :before;
