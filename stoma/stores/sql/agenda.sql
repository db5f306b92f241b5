-- Which due instants were dealt with, and how.

-- name: agenda_all
select * from agenda;

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
select * from skips where task_id = :task_id order by last desc limit :limit;

-- name: override_set
insert into task_overrides (task_id, enabled, changed_at) values (:task_id, :enabled, :now)
on conflict (task_id) do update set enabled = excluded.enabled, changed_at = excluded.changed_at;

-- name: overrides
select * from task_overrides;
