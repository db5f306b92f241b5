-- Filings and the lines of insider forms in EDGAR's words; what only a list by company tells is joined.

create view filings as
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

create view transactions as
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
    last_seen_at
from records
where source = 'sec_edgar' and kind = 'transaction';
