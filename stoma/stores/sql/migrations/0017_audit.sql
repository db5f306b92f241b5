-- Who changed what over HTTP and by command, also what was refused.

create table audit (
    id {identity},
    happened_at {instant} not null,
    -- The token by the name of its reference, the user of the machine, or anyone where no token is needed.
    who text not null,
    -- http or cli.
    via text not null,
    -- From where: an address, or the name of the machine.
    address text not null,
    -- What was asked, as the command calls it: enable-task; and of what: a task, a run, a preset.
    action text not null,
    target text not null,
    -- done, refused or failed.
    outcome text not null,
    -- The status of the answer; null for a command.
    status integer,
    -- What else is known of it, masked: method and path, what was sent, why it was refused.
    circumstances {json} not null
);
