-- Records for an export, by their numbers, as each database tells them.

-- name: export_records
-- Instants and JSON as text and under other names: they are written as they are, so nobody needs to read them first.
select
    id, source, external_id, kind, title, summary, url,
    authors::text as authors_text, tags::text as tags_text,
    replace(to_char(published_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), '.000000Z', 'Z') as published_at_text,
    replace(to_char(updated_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), '.000000Z', 'Z') as updated_at_text,
    attributes::text as attributes_text, version,
    replace(to_char(first_seen_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), '.000000Z', 'Z') as first_seen_at_text,
    replace(to_char(last_seen_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), '.000000Z', 'Z') as last_seen_at_text
from records
where {if ids: id in ({ids})} {if last: id between :first and :last} order by id;
