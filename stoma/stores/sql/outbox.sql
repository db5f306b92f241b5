-- Troubles that people are told of, and the messages that wait to be sent.

-- name: alert_of
select * from alerts where about = :about;

-- name: alerts_open
select * from alerts order by opened_at, about;

-- name: alert_save
insert into alerts (about, kind, task_id, holder, since_at, opened_at, told_at, told, bad_runs, detail)
values (:about, :kind, :task_id, :holder, :since_at, :opened_at, :told_at, :told, :bad_runs, :detail)
on conflict (about) do update set
    kind = excluded.kind, task_id = excluded.task_id, holder = excluded.holder, since_at = excluded.since_at,
    opened_at = excluded.opened_at, told_at = excluded.told_at, told = excluded.told, bad_runs = excluded.bad_runs,
    detail = excluded.detail;

-- name: alert_close
delete from alerts where about = :about;

-- name: ends_of_task
-- How the latest runs of a task ended, the last end first; an older run may have been begun again.
select status, coalesce(started_at, created_at) as began_at
from (select * from runs where task_id = :task_id and scope = 'live' order by id desc limit 200) r
where status in ('completed', 'suspect', 'failed') and finished_at is not null
order by finished_at desc, id desc limit 100;

-- name: skips_since
select reason, sum(count) as count from skips where task_id = :task_id and last >= :since group by reason order by reason;

-- name: outbox_put
insert into outbox (about, event, kind, target, address, title, body, status, created_at, not_before)
values (:about, :event, :kind, :target, :address, :title, :body, 'waiting', :now, :now);

-- name: outbox_drop_reminders
-- Another reminder takes the place of those that nobody could be sent yet.
update outbox set status = 'dropped'
where status = 'waiting' and about = :about and event = 'reminder' and owner is null;

-- name: outbox_overtake
-- It is over, and the message that says so tells all: what nobody was sent yet need not be sent any more.
update outbox set status = 'overtaken' where status = 'waiting' and about = :about and owner is null;

-- name: outbox_claim
-- The next messages for one address; what was begun before and neither sent nor given back may be a repeat.
update outbox set owner = :owner, lease_until = :lease_until, repeats = repeats + begun, begun = 1
where id in (
    select id from outbox
    where status = 'waiting' and target = :target and address = :address and not_before <= :now
        and (lease_until is null or lease_until < :now or lease_until > :furthest)
    order by id limit :limit {skip_locked}
)
returning *;

-- name: outbox_sent
-- Whoever has it by now: it has arrived, and need not be sent again.
update outbox set status = 'sent', sent_at = :now, begun = 0, owner = null, lease_until = null, error = null,
    tries = tries + 1
where id = :id and status = 'waiting';

-- name: outbox_failed
-- `begun` stays where it cannot be told whether it arrived.
update outbox set not_before = :not_before, begun = :begun, owner = null, lease_until = null, error = :error,
    tries = tries + 1
where id = :id and owner = :owner and status = 'waiting';

-- name: outbox_hasten
-- An address works: what waits for it need not wait any longer.
update outbox set not_before = :now
where status = 'waiting' and target = :target and address = :address and not_before > :now;

-- name: outbox_leased
select distinct owner from outbox where status = 'waiting' and owner is not null;

-- name: outbox_release
update outbox set owner = null, lease_until = null where status = 'waiting' and owner = :owner;

-- name: outbox_due
-- The addresses for which something waits whose time has come.
select distinct target, address from outbox
where status = 'waiting' and not_before <= :now
    and (lease_until is null or lease_until < :now or lease_until > :furthest);

-- name: outbox_counts
select target, address, status, count(*) as count, max(sent_at) as sent_at, min(created_at) as created_at
from outbox group by target, address, status order by target, address, status;

-- name: outbox_failing
-- The oldest message for each address that could not be sent yet, with why.
select * from outbox
where id in (select min(id) from outbox where status = 'waiting' and error is not null group by target, address);

-- name: outbox_forget
delete from outbox where status <> 'waiting' and created_at < :before;
