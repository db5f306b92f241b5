-- Tasks whose source said that it is gone for good.

-- name: gone_note
-- The first answer of that kind says since when.
insert into gone (task_id, fingerprint, reason, run_id, gone_at)
values (:task_id, :fingerprint, :reason, :run_id, :now)
on conflict (task_id) do update set
    reason = excluded.reason, run_id = excluded.run_id,
    gone_at = case when gone.fingerprint = excluded.fingerprint then gone.gone_at else excluded.gone_at end,
    fingerprint = excluded.fingerprint;

-- name: gone_forget
delete from gone where task_id = :task_id;

-- name: gone_all
select * from gone;

-- name: gone_of
select * from gone where task_id = :task_id;
