-- name: run_last_of_each
-- The live run of each named task that is under way, else its newest: a look into the index for each, however many
-- runs there are.
select r.* from jsonb_array_elements_text(:ids) as t(value)
join runs r on r.id = coalesce(
    (select id from runs where task_id = t.value and scope = 'live' and status = 'running'),
    (select id from runs where task_id = t.value and scope = 'live' order by id desc limit 1));

-- name: run_last_marks
-- By what one can tell that nothing but its counters has changed: each claim and each end moves the fence.
select r.task_id, r.id, r.fence from jsonb_array_elements_text(:ids) as t(value)
join runs r on r.id = coalesce(
    (select id from runs where task_id = t.value and scope = 'live' and status = 'running'),
    (select id from runs where task_id = t.value and scope = 'live' order by id desc limit 1));

-- name: run_troubles
-- How the last try ended that came to an end, for each of these runs that did not: one of its own, or of the run before.
select r.task_id, coalesce(a.status, e.status) as status,
    case when a.status is null then coalesce(e.error, e.reason) else coalesce(a.error, r.error, r.reason) end as reason
from jsonb_array_elements_text(:ids) as t(value)
join runs r on r.id = cast(t.value as bigint)
left join attempts a on a.run_id = r.id and a.fence = (
    select max(fence) from attempts where run_id = r.id and status in ('completed', 'suspect', 'failed'))
left join runs e on e.id = (
    select id from runs
    where task_id = r.task_id and scope = 'live' and id <> r.id and status in ('completed', 'suspect', 'failed')
    order by id desc limit 1);
