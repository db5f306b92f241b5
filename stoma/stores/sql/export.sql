-- Which records an export is made of, and the rows of views. What databases tell differently is in export.*.sql.

-- name: export_ids
-- The numbers of records inside a window. Comparisons `is true` use no index and `limit 1 offset 0` keeps a subquery
-- from being joined as a whole: the window alone decides what is looked at, whatever the planner knows of the tables.
select id from records
where id > :after and id <= :upto
    {if kind: and kind = :kind}
    {if source: and (source = :source) is true}
    {if since: and (first_seen_at >= :since) is true}
    {if until: and (first_seen_at < :until) is true}
    {if task_id: and exists (
        select 1 from sightings
        where task_id = :task_id and source = records.source and external_id = records.external_id
        limit 1 offset 0
    )}
order by id;

-- name: export_next
-- The first record behind a number: what lies between need not be looked at.
select id from records where id > :after and id <= :upto {if kind: and kind = :kind} order by id limit 1;

-- name: export_last
select max(id) as last from records;

-- name: export_span
-- The first and the last record of a time. The sums keep the database from walking along the numbers instead.
select min(id + 0) as first, max(id + 0) as last from records
where true {if since: and first_seen_at >= :since} {if until: and first_seen_at < :until};

-- name: export_papers
select * from papers where {if ids: id in ({ids})} {if last: id between :first and :last} order by id;

-- name: export_repositories
select * from repositories where {if ids: id in ({ids})} {if last: id between :first and :last} order by id;

-- name: export_filings
select * from filings where {if ids: id in ({ids})} {if last: id between :first and :last} order by id;

-- name: export_transactions
select * from transactions where {if ids: id in ({ids})} {if last: id between :first and :last} order by id;

-- name: export_entries
select * from entries where {if ids: id in ({ids})} {if last: id between :first and :last} order by id;
