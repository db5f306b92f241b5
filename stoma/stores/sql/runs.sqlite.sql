-- name: run_last_of_each
-- The newest live run of each named task: one look into the index for each, however many runs there are.
select r.* from json_each(:ids) t
join runs r on r.id = (select id from runs where task_id = t.value and scope = 'live' order by id desc limit 1);

-- name: run_last_marks
-- By what one can tell that nothing but its counters has changed: each claim and each end moves the fence.
select r.task_id, r.id, r.fence from json_each(:ids) t
join runs r on r.id = (select id from runs where task_id = t.value and scope = 'live' order by id desc limit 1);
