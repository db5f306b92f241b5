-- Records for an export, by their numbers, as each database tells them.

-- name: export_records
-- Instants and JSON as text and under other names: they are written as they are, so nobody needs to read them first.
select
    id, source, external_id, kind, title, summary, url,
    authors as authors_text, tags as tags_text,
    replace(published_at, '.000000Z', 'Z') as published_at_text,
    replace(updated_at, '.000000Z', 'Z') as updated_at_text,
    attributes as attributes_text, version,
    replace(first_seen_at, '.000000Z', 'Z') as first_seen_at_text,
    replace(last_seen_at, '.000000Z', 'Z') as last_seen_at_text
from records
where {if ids: id in ({ids})} {if last: id between :first and :last} order by id;
