-- What pages ask of runs and of one record. Newest first, below a number.

-- name: look_runs
select * from runs
where id >= :first and id < :below
    {if task_id: and task_id = :task_id}
    {if final: and finished_at is not null}
    {if ended: and finished_at is not null and status = :ended}
order by id desc limit :limit;

-- name: look_runs_open
-- Those that are not over, of one status. There are few, and `+ 0` keeps SQLite from going through all others.
select * from runs
where status in ('pending', 'running', 'interrupted') and status = :open and id + 0 >= :first and id + 0 < :below
    {if task_id: and task_id = :task_id}
order by id + 0 desc limit :limit;

-- name: look_bars
-- What a timeline draws.
select id, task_id, status, created_at, started_at, finished_at from runs
where id >= :first
    {if task_id: and task_id = :task_id}
    {if ended: and finished_at is not null and status = :ended}
order by id desc limit :limit;

-- name: look_run_from
-- The next run that there is, from a number on, and when it was made.
select id, created_at from runs where id >= :id order by id limit 1;

-- name: look_run_last
select max(id) as id from runs;

-- name: look_figures
-- What plots are made of: the newest runs of a task that came to an end.
select id, status, scheduled_for, created_at, started_at, finished_at, seen, new, changed, rejected from runs
where task_id = :task_id and scope = 'live' and finished_at is not null order by id desc limit :limit;

-- name: look_windows
-- The windows of one backfill. Their triggers begin alike; nothing else lies in between that counts, however letters
-- are sorted.
select * from runs
where task_id = :task_id and trigger >= :trigger and trigger <= :trigger || 'z' and scope = :scope
order by trigger limit :limit;

-- name: look_versions
select * from record_versions
where source = :source and external_id = :external_id and version < :below
order by version desc limit :limit;

-- name: look_log
select * from run_logs where run_id = :run_id and id < :below order by id desc limit :limit;
