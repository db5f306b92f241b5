-- Repositories as one record, whichever mode of github brought it: the view has the columns that it had.
-- An earlier program would write the second record again and take its fields from the first, so it must not go on.
-- min_program: 0.1.0

-- Records of kind repository_details stay as they are, and nothing shows them here; the next search fills their place.
drop view repositories;

create view repositories as
select
    repository.id,
    case when repository.external_id like '%/%' then null else cast(repository.external_id as bigint) end as github_id,
    repository.title as full_name,
    {text:attributes:owner} as owner,
    {text:attributes:name} as name,
    repository.summary as description,
    {text:attributes:language} as language,
    -- Null until a search has told them: the page of trending repositories shows none.
    attributes -> 'topics' as topics,
    {text:attributes:license} as license,
    {text:attributes:homepage} as homepage,
    {bool:attributes:is_fork} as is_fork,
    {bool:attributes:is_archived} as is_archived,
    repository.url,
    (select cast(value as bigint) from observations
     where source = 'github' and external_id = repository.external_id and measure = 'stars'
     order by observed_at desc, run_id desc limit 1) as stars,
    (select cast(value as bigint) from observations
     where source = 'github' and external_id = repository.external_id and measure = 'forks'
     order by observed_at desc, run_id desc limit 1) as forks,
    (select cast(value as bigint) from observations
     where source = 'github' and external_id = repository.external_id and measure = 'open_issues'
     order by observed_at desc, run_id desc limit 1) as open_issues,
    repository.published_at as created_at,
    (select {epoch:value} from observations
     where source = 'github' and external_id = repository.external_id and measure = 'pushed_at'
     order by observed_at desc, run_id desc limit 1) as pushed_at,
    repository.version,
    repository.first_seen_at,
    repository.last_seen_at
from records repository
where repository.source = 'github' and repository.kind = 'repository'
    and not (
        repository.external_id like '%/%'
        and exists (
            select 1 from records numbered
            where numbered.source = 'github' and numbered.kind = 'repository'
                -- It is in small letters; SQLite uses the index only where both sides are of one making.
                and lower(numbered.title) = lower(repository.external_id) and numbered.external_id not like '%/%'
        )
    );
