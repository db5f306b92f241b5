-- name: check_indexes
-- One that could not be built to its end is not used. Others may have tables in the same schema.
select count(*) as count, min(c.relname) as example
from pg_index i join pg_class c on c.oid = i.indexrelid join pg_class t on t.oid = i.indrelid
where t.relnamespace = (select oid from pg_namespace where nspname = current_schema())
    and t.relname in (select jsonb_array_elements_text(:names)) and not (i.indisvalid and i.indisready);

-- name: check_rights
select count(*) as count, min(c.relname || ': ' || p.name) as example
from pg_class c cross join (values ('select'), ('insert'), ('update'), ('delete')) as p(name)
where c.relnamespace = (select oid from pg_namespace where nspname = current_schema()) and c.relkind = 'r'
    and c.relname in (select jsonb_array_elements_text(:names)) and not has_table_privilege(c.oid, p.name);

-- name: database_version
select 'PostgreSQL ' || current_setting('server_version') as version;

-- name: table_bytes
-- A table with its indexes.
select relname as name, pg_total_relation_size(oid) as bytes from pg_class
where relnamespace = (select oid from pg_namespace where nspname = current_schema()) and relkind = 'r';

-- name: can_tell_bytes
select 1 as found;
