-- ETag and Last-Modified of the answers that a task has accepted.

-- name: validators_of
select * from http_validators where task_id = :task_id;

-- name: validators_forget
delete from http_validators where task_id = :task_id;

-- name: answers_forget
-- What stands for answers, not for requests.
delete from http_validators where task_id = :task_id and request >= :first and request < :last;
