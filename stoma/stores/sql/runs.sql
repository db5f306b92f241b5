-- Runs and their attempts: the truth about what was and will be done.

-- name: run_insert
-- A new run waits in the queue; the same trigger of the same task is the same run.
insert into runs (task_id, trigger, scope, scheduled_for, status, reason, not_before, priority, queue_at, host,
                  config_hash, owner, lease_until, created_at)
values (:task_id, :trigger, :scope, :scheduled_for, 'pending', :reason, :not_before, :priority, :queue_at, :host,
        :config_hash, :owner, :lease_until, :now)
on conflict (task_id, trigger) do nothing
returning *;

-- name: run_claim
-- The next run in the queue that may start now. Passed over: runs reserved by a process that lives, tasks that
-- run already in this scope, hosts that are cooling down or have as many runs as they take connections.
update runs set
    status = 'running', fence = fence + 1, attempt = attempt + 1, owner = :owner, lease_until = :lease_until,
    started_at = coalesce(started_at, :now), not_before = null, reason = null
where id = (
    select r.id from runs r
    where r.status in ('pending', 'running', 'interrupted') and r.status <> 'running'
      and (r.not_before is null or r.not_before <= :now or r.not_before > :furthest)
      and (r.lease_until is null or r.lease_until < :now or r.lease_until > :furthest)
      and not exists (
          select 1 from runs o where o.task_id = r.task_id and o.scope = r.scope and o.status = 'running')
      and not exists (
          select 1 from host_budgets b
          where b.host = r.host
            and (b.cooling_until > :now_us and b.cooling_until <= :longest_us
                 or (select count(*) from runs h where h.host = r.host and h.status = 'running') >= b.concurrency))
    order by r.queue_at, r.id
    limit 1 {skip_locked}
)
returning *;

-- name: run_claim_one
-- The same for one run, by the process that reserved it.
update runs set
    status = 'running', fence = fence + 1, attempt = attempt + 1, owner = :owner, lease_until = :lease_until,
    started_at = coalesce(started_at, :now), not_before = null, reason = null
where id = :id and owner = :owner
  and status in ('pending', 'interrupted')
  and (not_before is null or not_before <= :now)
  and not exists (
      select 1 from runs o where o.task_id = runs.task_id and o.scope = runs.scope and o.status = 'running')
returning *;

-- name: attempt_insert
insert into attempts (run_id, fence, attempt, owner, started_at, status)
values (:run_id, :fence, :attempt, :owner, :now, 'running');

-- name: attempt_end
update attempts set finished_at = :now, status = :status, error = :error
where run_id = :run_id and fence = :fence;

-- name: run_page
-- The first statement of each page's transaction: no row, no page.
update runs set
    lease_until = :lease_until, pages = pages + 1, seen = seen + :seen, rejected = rejected + :rejected
where id = :id and fence = :fence and status = 'running'
returning id;

-- name: run_page_outcome
update runs set new = new + :new, changed = changed + :changed, unchanged = unchanged + :unchanged,
    fresh = fresh + :fresh
where id = :id;

-- name: run_end
-- An attempt is over; the run is final, or waits for its next attempt.
update runs set
    status = :status, reason = :reason, error = :error, not_before = :not_before, finished_at = :finished_at,
    attempt = attempt - :not_a_try, owner = :reserved_by, lease_until = :reserved_until, fence = fence + 1,
    pages = pages + :pages, seen = seen + :unmodified, unchanged = unchanged + :unmodified
where id = :id and fence = :fence and status = 'running'
returning *;

-- name: run_end_asked
-- A run that would wait for its next try, and that somebody asked to end.
update runs set status = 'cancelled', reason = 'cancelled by hand', not_before = null, finished_at = :now,
    owner = null, lease_until = null
where id = :id and status in ('pending', 'interrupted') and cancel_asked_at is not null
returning *;

-- name: run_ask_cancel
update runs set cancel_asked_at = coalesce(cancel_asked_at, :now) where id = :id and status = 'running'
returning *;

-- name: run_cancel_asked
-- Running runs that somebody asked to end.
select * from runs where status = 'running' and cancel_asked_at is not null;

-- name: run_again
-- A run that ended without success begins again, with as many tries as a new one.
update runs set status = 'pending', reason = :reason, attempt = 0, not_before = null, queue_at = :queue_at,
    started_at = null, finished_at = null, owner = null, lease_until = null, cancel_asked_at = null, fence = fence + 1,
    -- A suspect run came to its end and begins anew; the others go on behind their last page.
    pages = case when status = 'suspect' then 0 else pages end, seen = case when status = 'suspect' then 0 else seen end,
    new = case when status = 'suspect' then 0 else new end, changed = case when status = 'suspect' then 0 else changed end,
    unchanged = case when status = 'suspect' then 0 else unchanged end,
    rejected = case when status = 'suspect' then 0 else rejected end,
    fresh = case when status = 'suspect' then 0 else fresh end
where id = :id and status in ('failed', 'suspect', 'cancelled', 'skipped')
returning *;

-- name: run_hasten
-- A run that waits for its next try may start now.
update runs set not_before = null where id = :id and status in ('pending', 'interrupted') returning *;

-- name: run_hasten_all
-- The same for all that wait for one reason.
update runs set not_before = null
where status in ('pending', 'running', 'interrupted') and status = 'pending' and reason = :reason;

-- name: run_wait_no_more
-- The clock was wrong when these waits were written.
update runs set not_before = null
where status in ('pending', 'running', 'interrupted') and status <> 'running' and not_before is not null;

-- name: run_renew
-- Keep what this process runs or has reserved.
update runs set lease_until = :lease_until
where owner = :owner and id = :id and fence = :fence and status in ('running', 'pending', 'interrupted');

-- name: run_expired
-- Runs whose owner has not renewed its lease; none lies further ahead than a clock that was wrong can have put it.
select * from runs where status = 'running' and (lease_until < :now or lease_until > :furthest);

-- name: run_running
select * from runs where status = 'running' order by started_at, id;

-- name: run_reserve
-- An open run that nobody keeps becomes this process's own, to be started now.
update runs set owner = :owner, lease_until = :lease_until, not_before = null
where id = :id and status in ('pending', 'interrupted') and (lease_until is null or lease_until < :now)
returning *;

-- name: run_release
update runs set owner = null, lease_until = null
where id = :id and owner = :owner and status in ('pending', 'interrupted');

-- name: run_settle
-- A waiting run that will never start becomes final.
update runs set status = :status, reason = :reason, error = :error, finished_at = :now, not_before = null,
    owner = null, lease_until = null, fence = fence + 1
where id = :id and status in ('pending', 'interrupted');

-- name: run_reserved
-- Open runs that a process keeps for itself.
select * from runs
where status in ('pending', 'running', 'interrupted') and status <> 'running' and owner is not null;

-- name: run_get
select * from runs where id = :id;

-- name: run_open_of_task
-- What is collected of the past holds up nothing that is due.
select * from runs
where task_id = :task_id and scope = 'live' and status in ('pending', 'running', 'interrupted') order by id;

-- name: run_open_of_task_in_all
select * from runs where task_id = :task_id and status in ('pending', 'running', 'interrupted') order by id;

-- name: run_open
select * from runs where status in ('pending', 'running', 'interrupted') order by queue_at, id;

-- name: run_last_of_task
select * from runs where task_id = :task_id and scope = 'live' order by id desc limit 1;

-- name: run_of_trigger
select * from runs where task_id = :task_id and trigger = :trigger;

-- name: runs_of_scope
-- The runs of one backfill, each a window.
select * from runs where task_id = :task_id and scope = :scope order by id;

-- name: news_last
-- When a live run last brought anything new to its task, or changed; before that, when the first one began.
select coalesce(
    (select coalesce(finished_at, :now) from runs
     where task_id = :task_id and scope = 'live' and (fresh > 0 or new > 0 or changed > 0) order by id desc limit 1),
    (select coalesce(started_at, created_at) from runs
     where task_id = :task_id and scope = 'live' order by id limit 1)) as since_at;

-- name: run_history
-- Newest first, below a given run.
select * from runs where id < :below order by id desc limit :limit;

-- name: run_history_open
-- Those that are not final, of one status.
select * from runs
where status in ('pending', 'running', 'interrupted') and status = :status and id < :below
order by id desc limit :limit;

-- name: run_history_ended
-- Those that ended with one status.
select * from runs
where finished_at is not null and status = :status and id < :below order by id desc limit :limit;

-- name: run_history_of_task
select * from runs where task_id = :task_id and id < :below and (:status = '' or status = :status)
order by id desc limit :limit;

-- name: attempts_of_run
select * from attempts where run_id = :run_id order by fence;

-- name: progress_save
insert into progress (task_id, scope, fingerprint, "window", page, run_id, saved_at)
values (:task_id, :scope, :fingerprint, :window, :page, :run_id, :now)
on conflict (task_id, scope) do update set
    fingerprint = excluded.fingerprint, "window" = excluded."window", page = excluded.page,
    run_id = excluded.run_id, saved_at = excluded.saved_at;

-- name: collection_standing
-- Cursor, progress, and what the last accepted run saw, in one look; one row, whether there are any or not.
select c.fingerprint as cursor_mark, c.position, p.fingerprint, p."window", p.page, p.run_id,
    (select seen from runs
     where task_id = :task_id and scope = 'live' and status = 'completed' order by id desc limit 1) as seen_before,
    exists (select 1 from http_validators v where v.task_id = :task_id) as has_validators,
    exists (select 1 from gone g where g.task_id = :task_id) as is_gone
from (select 1 as one) o
left join cursors c on c.task_id = :task_id
left join progress p on p.task_id = :task_id and p.scope = :scope;

-- name: progress_get
select * from progress where task_id = :task_id and scope = :scope;

-- name: progress_delete
delete from progress where task_id = :task_id and scope = :scope;

-- name: cursor_get
select * from cursors where task_id = :task_id;

-- name: cursor_move
insert into cursors (task_id, fingerprint, position, run_id, moved_at)
values (:task_id, :fingerprint, :position, :run_id, :now)
on conflict (task_id) do update set
    fingerprint = excluded.fingerprint, position = excluded.position,
    run_id = excluded.run_id, moved_at = excluded.moved_at;
