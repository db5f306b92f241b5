-- Lists of records, what is new, changed and risen, the story of one. Newest first is by the instant, then by number.
-- `source || ''` keeps SQLite, which has no statistics, from the key of a table where the index by time is meant.

-- name: question_list
select * from records
where first_seen_at <= :at and first_seen_at >= :since {if below: and (first_seen_at < :at or id < :below)}
order by first_seen_at desc, id desc limit :limit;

-- name: question_place
-- Where a list goes on below the record of this number; the nearest one stands in for one that was deleted.
select first_seen_at from records where id <= :id order by id desc limit 1;

-- name: question_place_of_task
select s.first_seen_at from records r
join sightings s on s.source = r.source and s.external_id = r.external_id
where r.id = :id and s.task_id = :task_id;

-- name: question_kinds
-- One look into the index for each kind, however many records there are.
with recursive found(kind) as (
    select min(kind) from records {if source: where source = :source}
    union all
    select (select min(kind) from records where {if source: source = :source and} kind > found.kind)
    from found where found.kind is not null
)
select kind from found where kind is not null order by kind;

-- name: question_sources
with recursive found(source) as (
    select min(source) from records
    union all
    select (select min(source) from records where source > found.source) from found where found.source is not null
)
select source from found where source is not null order by source;

-- name: question_count
select count(*) as count from (
    select 1 from records
    where kind = :kind {if source: and source = :source} and first_seen_at >= :since limit :most
) counted;

-- name: question_versions_since
select count(*) as count from (
    select 1 from record_versions
    where superseded_at >= :since {if source: and source || '' = :source} limit :most
) counted;

-- name: measured_back_to
-- The instant back to which there are so many measurements.
select observed_at from observations
where observed_at <= :until {if after: and observed_at > :after} {if source: and source || '' = :source}
    and measure not like '%\_at' escape '\'
order by observed_at desc limit 1 offset :count;

-- name: measured_next
-- What some of the measurements behind those that were read are about.
select source, external_id, measure from observations
where observed_at < :before {if after: and observed_at > :after} {if source: and source || '' = :source}
    and measure not like '%\_at' escape '\'
order by observed_at desc limit :limit;

-- name: story_by_number
select * from records where id = :id;

-- name: story_by_id
-- Every record of an external id: one look into the index for each source.
with recursive found(source) as (
    select min(source) from records
    union all
    select (select min(source) from records where source > found.source) from found where found.source is not null
)
select r.* from found join records r on r.source = found.source and r.external_id = :external_id
order by r.source;

-- name: story_repository
-- A repository by its full name.
select * from records
where source = 'github' and kind = 'repository' and lower(title) = lower(:full_name) order by id limit 5;

-- name: story_before
select external_id from records where source = :source and external_id < :external_id
order by external_id desc limit 3;

-- name: story_after
select external_id from records where source = :source and external_id > :external_id
order by external_id limit 3;

-- name: story_observations
-- The latest of one measure.
select observed_at, value, run_id from observations
where source = :source and external_id = :external_id and measure = :measure
order by observed_at desc, run_id desc limit :limit;

-- name: story_measures
select measure, count(*) as count, min(value) as least, max(value) as most, min(observed_at) as first_at
from observations where source = :source and external_id = :external_id group by measure order by measure;

-- name: story_first
select value from observations
where source = :source and external_id = :external_id and measure = :measure
order by observed_at, run_id limit 1;
