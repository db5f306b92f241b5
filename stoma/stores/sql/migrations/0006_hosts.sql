-- What became of the requests to each host, and what it said of the number it allows.

alter table host_budgets add column asked bigint not null default 0;
-- Answered with 304, with a wish for patience, and with a refusal or not at all; all others brought what was asked for.
alter table host_budgets add column unmodified bigint not null default 0;
alter table host_budgets add column busy bigint not null default 0;
alter table host_budgets add column failed bigint not null default 0;
alter table host_budgets add column last_asked_at bigint not null default 0;
alter table host_budgets add column told_remaining bigint;
alter table host_budgets add column told_limit bigint;
alter table host_budgets add column told_reset_at bigint;
