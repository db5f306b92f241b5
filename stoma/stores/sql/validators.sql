-- ETag and Last-Modified of the answers that a task has accepted.

-- name: validators_of
select * from http_validators where task_id = :task_id;

-- name: validators_forget
delete from http_validators where task_id = :task_id;

-- name: source_changed
insert into source_changes (source, changed_at) values (:source, :now)
on conflict (source) do update set changed_at = excluded.changed_at;

-- name: source_changed_at
select changed_at from source_changes where source = :source;
