-- Records, their versions, who saw them, what was measured.

-- name: record_supersede
-- What a record said until now becomes a version.
insert into record_versions (source, external_id, version, title, summary, url, authors, tags, published_at,
                             updated_at, attributes, content_hash, superseded_at, run_id)
select source, external_id, version, title, summary, url, authors, tags, published_at, updated_at, attributes,
       content_hash, :now, :run_id
from records where source = :source and external_id = :external_id;

-- name: record_change
update records set
    kind = :kind, title = :title, summary = :summary, url = :url, authors = :authors, tags = :tags,
    published_at = :published_at, updated_at = :updated_at, attributes = :attributes,
    content_hash = :content_hash, version = version + 1, last_seen_at = :now
where source = :source and external_id = :external_id;

-- name: record_touch
update records set last_seen_at = :now where id in ({ids});

-- name: record_get
select * from records where source = :source and external_id = :external_id;

-- name: record_versions_of
select * from record_versions where source = :source and external_id = :external_id order by version;

-- name: record_newest
select * from records order by id desc limit :limit;

-- name: record_latest
-- The most recently published ones, of those that have a date.
select * from records where published_at is not null order by published_at desc, id desc limit :limit;

-- name: record_count
select count(*) as count from records;

-- name: record_count_by_kind
select kind, count(*) as count from records group by kind order by kind;

-- name: rejects_of_task
select * from rejects where task_id = :task_id order by id desc limit :limit;

-- name: sightings_of
select * from sightings where source = :source and external_id = :external_id order by task_id;

-- name: observations_of
select * from observations where source = :source and external_id = :external_id order by observed_at, measure;

-- name: papers_newest
select * from papers order by id desc limit :limit;

-- name: repositories_newest
select * from repositories order by id desc limit :limit;
