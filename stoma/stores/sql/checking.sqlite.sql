-- name: check_indexes
-- The check of the file has looked at them.
select 0 as count, null as example;

-- name: check_rights
-- Those of the file are needed to open it.
select 0 as count, null as example;

-- name: database_version
select 'SQLite ' || sqlite_version() as version;

-- name: table_bytes
-- A table with its indexes.
select m.tbl_name as name, sum(s.pgsize) as bytes from dbstat s join sqlite_master m on m.name = s.name
where s.aggregate = 1 group by m.tbl_name;

-- name: can_tell_bytes
select sqlite_compileoption_used('ENABLE_DBSTAT_VTAB') as found;
