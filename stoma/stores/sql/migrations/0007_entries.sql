-- Entries of feeds in the words of feeds, whichever source they belong to.

create view entries as
select
    id,
    source,
    external_id as entry_id,
    title,
    summary,
    {text:attributes:content} as content,
    {text:attributes:content_type} as content_type,
    url as link,
    authors,
    tags as categories,
    attributes -> 'enclosures' as enclosures,
    {text:attributes:comments_url} as comments_link,
    (select cast(value as bigint) from observations
     where source = records.source and external_id = records.external_id and measure = 'comments'
     order by observed_at desc, run_id desc limit 1) as comments,
    published_at,
    updated_at,
    version,
    first_seen_at,
    last_seen_at
from records
where kind = 'entry';
