-- Which due instants were dealt with, and how.

-- name: agenda_all
select * from agenda;

-- name: agenda_of
select * from agenda where task_id = :task_id;

-- name: agenda_get
select * from agenda where task_id = :task_id {for_update};

-- name: agenda_insert
insert into agenda (task_id, schedule_hash, valid_since, accounted_until)
values (:task_id, :schedule_hash, :now, :now)
on conflict (task_id) do nothing;

-- name: agenda_renew
-- Another schedule: what came before is over, nothing of it fires.
update agenda set schedule_hash = :schedule_hash, valid_since = :now, accounted_until = :now, skip_id = null,
    removed_at = null
where task_id = :task_id;

-- name: agenda_remove
update agenda set removed_at = :now where task_id = :task_id;

-- name: agenda_move
update agenda set accounted_until = :accounted_until, skip_id = :skip_id, removed_at = null where task_id = :task_id;

-- name: skip_insert
insert into skips (task_id, first, last, count, reason, detail)
values (:task_id, :first, :last, :count, :reason, :detail)
returning id;

-- name: skip_extend
update skips set last = :last, count = count + :count
where id = :id and reason = :reason and detail = :detail;

-- name: skips_of_task
select * from skips
where task_id = :task_id {if before: and last <= :before} {if below: and (last < :before or id < :below)}
order by last desc, id desc limit :limit;

-- name: override_set
insert into task_overrides (task_id, enabled, changed_at) values (:task_id, :enabled, :now)
on conflict (task_id) do update set enabled = excluded.enabled, changed_at = excluded.changed_at
where task_overrides.enabled <> excluded.enabled;

-- name: overrides
select * from task_overrides;

-- name: override_of
select * from task_overrides where task_id = :task_id;

-- name: switch_set
insert into switches (name, is_on, changed_at) values (:switch, :is_on, :now)
on conflict (name) do update set is_on = excluded.is_on, changed_at = excluded.changed_at
where switches.is_on <> excluded.is_on;

-- name: switch_get
select * from switches where name = :switch;

-- name: upstream_ended
-- An upstream task has ended as a task with `after` wants it.
insert into upstream_ends (task_id, upstream, run_id, status, ended_at)
values (:task_id, :upstream, :run_id, :status, :now)
on conflict (task_id, upstream) do update set
    run_id = excluded.run_id, status = excluded.status, ended_at = excluded.ended_at;

-- name: upstream_ends_of
select * from upstream_ends where task_id = :task_id;

-- name: upstream_ends_all
select * from upstream_ends;

-- name: upstream_forget
delete from upstream_ends where task_id = :task_id;

-- name: last_start
-- When a run of a task started last; an older run may have been begun again.
select max(started_at) as started_at
from (select started_at from runs where task_id = :task_id and scope = 'live' order by id desc limit 100) r;

-- name: skip_last
select * from skips where task_id = :task_id order by id desc limit 1;
