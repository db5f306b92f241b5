-- Repositories in GitHub's words: what both modes tell, what only a search tells, and what was measured last.

-- The name without its case finds the record by number of one that had only a name.
create index repositories_by_name on records (lower(title)) where source = 'github' and kind = 'repository';

create view repositories as
select
    repository.id,
    case when repository.external_id like '%/%' then null else cast(repository.external_id as bigint) end as github_id,
    repository.title as full_name,
    repository.owner,
    repository.name,
    repository.summary as description,
    repository.language,
    details.topics,
    details.license,
    details.homepage,
    details.is_fork,
    details.is_archived,
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
    details.created_at,
    (select {epoch:value} from observations
     where source = 'github' and external_id = repository.external_id and measure = 'pushed_at'
     order by observed_at desc, run_id desc limit 1) as pushed_at,
    repository.version,
    repository.first_seen_at,
    repository.last_seen_at
from (
    select id, external_id, title, summary, url, version, first_seen_at, last_seen_at,
        {text:attributes:owner} as owner,
        {text:attributes:name} as name,
        {text:attributes:language} as language
    from records
    where source = 'github' and kind = 'repository'
) repository
left join (
    select external_id, published_at as created_at, tags as topics,
        {text:attributes:license} as license,
        {text:attributes:homepage} as homepage,
        {bool:attributes:is_fork} as is_fork,
        {bool:attributes:is_archived} as is_archived
    from records
    where source = 'github' and kind = 'repository_details'
) details on details.external_id = 'details:' || repository.external_id
where not (
    repository.external_id like '%/%'
    and exists (
        select 1 from records numbered
        where numbered.source = 'github' and numbered.kind = 'repository'
            and lower(numbered.title) = repository.external_id and numbered.external_id not like '%/%'
    )
);
