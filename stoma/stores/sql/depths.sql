-- How much waits, for those who watch. See stoma/stores/depths.py.

-- name: depth_of_queue
-- Runs that are not final: by status, those that could start, leases that hold and that have passed, and backfills.
select coalesce(sum(case when status = 'pending' then 1 else 0 end), 0) as pending,
       coalesce(sum(case when status = 'interrupted' then 1 else 0 end), 0) as interrupted,
       coalesce(sum(case when status = 'running' then 1 else 0 end), 0) as running,
       coalesce(sum(case when status <> 'running' and (not_before is null or not_before <= :now) then 1 else 0 end), 0)
           as ready,
       min(case when status <> 'running' and (not_before is null or not_before <= :now)
           then coalesce(not_before, created_at) end) as ready_at,
       coalesce(sum(case when lease_until >= :now then 1 else 0 end), 0) as leases,
       coalesce(sum(case when lease_until < :now then 1 else 0 end), 0) as expired,
       coalesce(sum(case when scope <> 'live' then 1 else 0 end), 0) as windows,
       count(distinct case when scope <> 'live' then scope end) as backfills
from runs where status in ('pending', 'running', 'interrupted');

-- name: depth_completed
-- When a run was completed last, or nearly so.
select finished_at from runs where status = 'completed' and finished_at is not null order by id desc limit 1;

-- name: depth_of_outbox
select count(*) as messages, min(created_at) as created_at from outbox where status = 'waiting';

-- name: depth_of_schema
-- How far the tables were brought.
select max(number) as number from schema_migrations;
