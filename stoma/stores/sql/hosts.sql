-- Budgets of hosts, shared by all who share the store. Instants are microseconds since the epoch.

-- name: host_know
insert into host_budgets (host, next_at, cooling_until, reason, concurrency) values (:host, 0, 0, '', :concurrency)
on conflict (host) do update set concurrency = excluded.concurrency
where coalesce(host_budgets.concurrency, -1) <> coalesce(excluded.concurrency, -1);

-- name: host_reserve
-- One statement reserves the next turn: it is granted only when the host is not cooling, has a connection free
-- and its turn is near enough.
-- What lies further ahead than anybody grants was written by a clock that was wrong, and does not count.
update host_budgets set next_at = (case when next_at > :now and next_at <= :furthest then next_at else :now end) + :gap,
    asked = asked + 1,
    last_asked_at = case when next_at > :now and next_at <= :furthest then next_at else :now end
where host = :host and (cooling_until <= :now or cooling_until > :longest)
  and (next_at <= :latest or next_at > :furthest)
  and (select count(*) from connections c where c.host = :host and c.expires_at > :now) < coalesce(concurrency, 1000000)
returning next_at - :gap as turn_at;

-- name: host_get
select * from host_budgets where host = :host {for_update};

-- name: host_all
select b.*,
       (select count(*) from connections c where c.host = b.host and c.expires_at > :now) as in_use
from host_budgets b order by b.host;

-- name: host_cool
update host_budgets set cooling_until = :until, reason = :reason where host = :host and (cooling_until < :until or cooling_until > :longest);

-- name: host_count
-- What became of requests.
update host_budgets set
    asked = asked + :asked, unmodified = unmodified + :unmodified, busy = busy + :busy, failed = failed + :failed,
    last_asked_at = case when last_asked_at < :last_asked_at then :last_asked_at else last_asked_at end
where host = :host;

-- name: host_told
-- What the source said of the requests it allows.
update host_budgets set told_remaining = :remaining, told_limit = :limit, told_reset_at = :reset_at where host = :host;

-- name: host_warm
-- Somebody ends the cool-down by hand.
update host_budgets set cooling_until = 0, reason = '' where host = :host;

-- name: host_hasten
-- Runs that wait for the end of that cool-down may start now.
update runs set not_before = null
where status in ('pending', 'running', 'interrupted') and status = 'pending' and host = :host and not_before >= :until;

-- name: connection_open
insert into connections (host, expires_at, owner) values (:host, :expires_at, :owner) returning id;

-- name: connection_close
delete from connections where id = :id;

-- name: connections_expired
delete from connections where expires_at <= :now;

-- name: connections_of_host
select id, owner from connections where host = :host;

-- name: host_cooling
select cooling_until, reason from host_budgets where host = :host and cooling_until > :now and cooling_until <= :longest;
