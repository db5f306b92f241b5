-- What became of due instants: runs and skips of one task within a span of time.

-- name: runs_due_between
-- By the trigger, which has an index and is written so that it sorts by time.
select * from runs
where task_id = :task_id and trigger >= :first_trigger and trigger < :end_trigger and scheduled_for is not null
order by scheduled_for;

-- name: runs_made_between
-- Those that no schedule asked for. Between 'at' and 'b' lie the triggers of schedules, however letters are sorted.
select * from runs
where task_id = :task_id and (trigger < 'at' or trigger > 'b') and created_at >= :start and created_at < :end
order by id;

-- name: skips_between
select * from skips where task_id = :task_id and last >= :start and first < :end order by first;

-- name: oldest_run
select coalesce(scheduled_for, created_at) as since_at from runs
where task_id = :task_id and scope = 'live' order by id limit 1;

-- name: oldest_skip
select first as since_at from skips where task_id = :task_id order by last limit 1;
