-- name: run_last_of_each
-- The newest live run of each named task: one look into the index for each, however many runs there are.
select r.* from json_each(:ids) t
join runs r on r.id = (select id from runs where task_id = t.value and scope = 'live' order by id desc limit 1);
