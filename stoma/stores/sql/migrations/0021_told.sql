-- What was told of one thing lately, and to whom.
create index outbox_about on outbox (about, created_at);
