-- name: old_runs
-- The next runs, and which of them may go. What others reckon with stays: the newest runs of each task, its first one,
-- the last completed one, the last one with news, and what cursors and the like name. So do the windows of
-- backfills: by them the same command knows what is collected.
select r.id, case when r.created_at >= :before and r.created_at <= :furthest then 1 else 0 end as is_young,
    case when r.finished_at < :before and r.scope = 'live'
        and exists (select 1 from runs n where n.task_id = r.task_id and n.id > r.id and n.scope = 'live'
                    order by n.id limit 1 offset :newer)
        and exists (select 1 from runs o where o.task_id = r.task_id and o.id < r.id and o.scope = 'live')
        and (r.status <> 'completed' or exists (
            select 1 from runs c
            where c.task_id = r.task_id and c.id > r.id and c.scope = 'live' and c.status = 'completed'))
        and ((r.fresh = 0 and r.new = 0 and r.changed = 0) or exists (
            select 1 from runs c
            where c.task_id = r.task_id and c.id > r.id and c.scope = 'live'
                and (c.fresh > 0 or c.new > 0 or c.changed > 0)))
        and r.id not in (select run_id from cursors)
        and r.id not in (select run_id from progress)
        and r.id not in (select run_id from upstream_ends)
        and r.id not in (select run_id from gone)
    then 1 else 0 end as may_go
from (select * from runs where id > :after order by id limit :limit) r
order by r.id;

-- name: record_observations_forget
-- Some of what was measured of records that were not seen since.
delete from observations where rowid in (
    select o.rowid from records r join observations o on o.source = r.source and o.external_id = r.external_id
    where r.id in ({ids}) and r.last_seen_at < :before limit :limit
);
