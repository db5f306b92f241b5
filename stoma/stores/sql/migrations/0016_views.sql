-- Views again, with what was missing behind the columns that they had.
-- SQLite wrote moments of measurements shorter than all other instants, so that they did not compare.

{view:papers} as
select
    id,
    external_id as arxiv_id,
    title,
    summary as abstract,
    authors,
    tags as categories,
    {text:attributes:primary_category} as primary_category,
    {int:attributes:version} as arxiv_version,
    {text:attributes:doi} as doi,
    {text:attributes:journal_ref} as journal_ref,
    {text:attributes:comment} as comment,
    {text:attributes:pdf_url} as pdf_url,
    url,
    published_at as submitted_at,
    updated_at,
    version,
    first_seen_at,
    last_seen_at,
    {text:attributes:license} as license,
    {text:attributes:report_no} as report_no,
    -- arXiv withdrew it entirely; its texts are gone.
    coalesce({bool:attributes:deleted}, false) as is_deleted
from records
where source = 'arxiv' and kind = 'paper';

{view:repositories} as
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
    repository.last_seen_at,
    -- By this the other tables know it.
    repository.external_id,
    {text:attributes:default_branch} as default_branch,
    {bool:attributes:is_template} as is_template,
    (select cast(value as bigint) from observations
     where source = 'github' and external_id = repository.external_id and measure = 'size_kb'
     order by observed_at desc, run_id desc limit 1) as size_kb,
    -- Of the day, when it was last seen on the page of trending repositories.
    (select cast(value as bigint) from observations
     where source = 'github' and external_id = repository.external_id and measure = 'stars_daily'
     order by observed_at desc, run_id desc limit 1) as stars_daily
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

{view:filings} as
select
    filing.id,
    filing.accession,
    filing.form,
    filing.filing_date,
    (select {epoch:value} from observations
     where source = 'sec_edgar' and external_id = filing.accession and measure = 'accepted_at'
     order by observed_at desc, run_id desc limit 1) as accepted_at,
    filing.ciks,
    filing.companies,
    details.report_date,
    details.items,
    details.description,
    details.primary_document,
    details.acceptance_text,
    filing.url,
    filing.version,
    filing.first_seen_at,
    filing.last_seen_at
from (
    select id, external_id as accession, authors as companies, url, version, first_seen_at, last_seen_at,
        {text:attributes:form} as form,
        {text:attributes:filing_date} as filing_date,
        attributes -> 'ciks' as ciks
    from records
    where source = 'sec_edgar' and kind = 'filing'
) filing
left join (
    select external_id,
        {text:attributes:report_date} as report_date,
        attributes -> 'items' as items,
        {text:attributes:description} as description,
        {text:attributes:primary_document} as primary_document,
        {text:attributes:acceptance_text} as acceptance_text
    from records
    where source = 'sec_edgar' and kind = 'filing_details'
) details on details.external_id = 'details:' || filing.accession;

{view:transactions} as
select
    id,
    {text:attributes:accession} as accession,
    {text:attributes:form} as form,
    {text:attributes:filing_date} as filing_date,
    published_at as accepted_at,
    {text:attributes:issuer_cik} as issuer_cik,
    {text:attributes:issuer} as issuer,
    {text:attributes:ticker} as ticker,
    {text:attributes:owner_cik} as owner_cik,
    {text:attributes:owner} as owner,
    authors as owners,
    {text:attributes:role} as role,
    {text:attributes:table} as table_name,
    {text:attributes:line} as line,
    {text:attributes:security} as security,
    {text:attributes:date} as transaction_date,
    {text:attributes:code} as code,
    {number:attributes:shares} as shares,
    {number:attributes:price} as price,
    {text:attributes:acquired_disposed} as acquired_disposed,
    {number:attributes:shares_after} as shares_after,
    {number:attributes:value_after} as value_after,
    {text:attributes:ownership} as ownership,
    {text:attributes:ownership_nature} as ownership_nature,
    {number:attributes:conversion_price} as conversion_price,
    {text:attributes:exercise_date} as exercise_date,
    {text:attributes:expiration_date} as expiration_date,
    {text:attributes:underlying_security} as underlying_security,
    {number:attributes:underlying_shares} as underlying_shares,
    attributes -> 'footnotes' as footnotes,
    url,
    version,
    first_seen_at,
    last_seen_at,
    -- By this the other tables know it.
    external_id,
    {text:attributes:remarks} as remarks,
    {bool:attributes:equity_swap} as equity_swap,
    {number:attributes:shares} * {number:attributes:price} as value
from records
where source = 'sec_edgar' and kind = 'transaction';
