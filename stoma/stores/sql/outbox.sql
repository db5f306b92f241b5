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
-- An end that lies in the future was written by a clock that was ahead.
where status in ('completed', 'suspect', 'failed') and finished_at <= :now
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
    where status = 'waiting' and target = :target and address = :address
        and (not_before <= :now or not_before > :furthest)
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
where status = 'waiting' and (not_before <= :now or not_before > :furthest)
    and (lease_until is null or lease_until < :now or lease_until > :furthest);

-- name: outbox_counts
select target, address, status, count(*) as count, max(sent_at) as sent_at, min(created_at) as created_at
from outbox group by target, address, status order by target, address, status;

-- name: outbox_failing
-- The oldest message for each address that could not be sent yet, with why.
select * from outbox
where id in (select min(id) from outbox where status = 'waiting' and error is not null group by target, address);

-- name: outbox_forget
-- What people were told of a trouble that lasts is needed: they are told of its end too.
delete from outbox
where status <> 'waiting' and created_at < :before
    and not exists (select 1 from alerts where alerts.about = outbox.about);

-- name: outbox_told
-- Who was told of a trouble, or is being told just now.
select distinct target from outbox
where about = :about and created_at >= :since and (status = 'sent' or begun = 1)
order by target;

-- name: outbox_lately
-- What was told of one thing lately: how often it began, when for the first time, and when the last message was made.
select count(distinct case when event = 'opened' then created_at end) as times,
    min(case when event = 'opened' then created_at end) as first_at, max(created_at) as last_at
from outbox where about = :about and event in ('opened', 'recovered') and created_at > :since and created_at <= :now;

-- name: outbox_addresses
select distinct target, address from outbox where status = 'waiting';

-- name: outbox_astray
-- What waits for an address, to be sent to another one; nobody is sending it just now.
select * from outbox
where status = 'waiting' and target = :target and address = :address and owner is null
order by id {for_update};

-- name: outbox_has
-- Whether a message was made for another address too.
select 1 as is_there from outbox
where about = :about and event = :event and target = :target and address = :address and created_at = :created_at
limit 1;

-- name: outbox_move
update outbox set address = :address, not_before = :now, error = null where id = :id and status = 'waiting';

-- name: outbox_drop
update outbox set status = 'dropped' where id = :id and status = 'waiting';

-- name: outbox_copy
insert into outbox (about, event, kind, target, address, title, body, status, created_at, not_before)
select about, event, kind, target, :address, title, body, 'waiting', created_at, :now from outbox where id = :id;
