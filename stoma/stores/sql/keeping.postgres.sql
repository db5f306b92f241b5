-- name: old_runs
-- The next runs, and which of them may go. What others reckon with stays: the newest runs of each task, its first one,
-- the last completed one, the last one with news, and what cursors and the like name. So do the windows of
-- backfills: by them the same command knows what is collected.
-- As on SQLite; neighbours are looked for by task and number together, in the order of that index: by the task alone PostgreSQL goes
-- through all runs to find those of a rare one.
select r.id, case when r.created_at >= :before and r.created_at <= :furthest then 1 else 0 end as is_young,
    case when r.finished_at < :before and r.scope = 'live'
        and r.task_id = (
            select n.task_id from runs n where (n.task_id, n.id) > (r.task_id, r.id) and n.scope = 'live'
            order by n.task_id, n.id limit 1 offset :newer)
        and r.task_id = (
            select o.task_id from runs o where (o.task_id, o.id) < (r.task_id, r.id) and o.scope = 'live'
            order by o.task_id desc, o.id desc limit 1)
        and (r.status <> 'completed' or r.task_id = (
            select c.task_id from runs c
            where (c.task_id, c.id) > (r.task_id, r.id) and c.scope = 'live' and c.status = 'completed'
            order by c.task_id, c.id limit 1))
        and ((r.fresh = 0 and r.new = 0 and r.changed = 0) or r.task_id = (
            select c.task_id from runs c
            where (c.task_id, c.id) > (r.task_id, r.id) and c.scope = 'live'
                and (c.fresh > 0 or c.new > 0 or c.changed > 0)
            order by c.task_id, c.id limit 1))
        and r.id not in (select run_id from cursors)
        and r.id not in (select run_id from progress)
        and r.id not in (select run_id from upstream_ends)
        and r.id not in (select run_id from gone)
    then 1 else 0 end as may_go
from (select * from runs where id > :after order by id limit :limit) r
order by r.id;

-- name: record_observations_forget
-- Some of what was measured of records that were not seen since.
delete from observations where ctid = any (array(
    select o.ctid from records r join observations o on o.source = r.source and o.external_id = r.external_id
    where r.id in ({ids}) and r.last_seen_at < :before limit :limit
));
