-- The runs of one task with one status: without it, those of a rare one are sought among all that the task ever had.
create index runs_ended_of_task on runs (task_id, status, id) where finished_at is not null;
