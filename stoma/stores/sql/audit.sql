-- Who changed what.

-- name: audit_latest
-- Newest first, below a given row.
select * from audit
where id < :below {if since: and happened_at >= :since} {if outcome: and outcome = :outcome}
order by id desc limit :limit;
