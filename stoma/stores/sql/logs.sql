-- What was logged while runs were carried out.

-- name: log_of_run
-- In the order they were logged, above a given line.
select * from run_logs where run_id = :run_id and id > :above order by id limit :limit;
