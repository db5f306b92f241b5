-- The processes that work on this store.

-- name: node_beat
insert into nodes (owner, hostname, pid, version, api_url, config_hash, generation, started_at, heartbeat_at, state)
values (:owner, :hostname, :pid, :version, :api_url, :config_hash, :generation, :started_at, :now, :state)
on conflict (owner) do update set
    api_url = excluded.api_url, config_hash = excluded.config_hash, generation = excluded.generation,
    heartbeat_at = excluded.heartbeat_at, state = excluded.state;

-- name: node_leave
delete from nodes where owner = :owner;

-- name: nodes_forget
delete from nodes where heartbeat_at < :before;

-- name: nodes_all
select * from nodes order by started_at;
