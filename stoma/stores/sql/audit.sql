-- Who changed what.

-- name: audit_latest
-- Newest first, below a given row.
select * from audit
where id < :below {if since: and happened_at >= :since} {if who: and who = :who} {if target: and target = :target}
    {if outcome: and outcome = :outcome}
order by id desc limit :limit;
