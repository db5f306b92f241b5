-- The index of words: what it has still to take up, and what is found. See stoma/stores/indexing.py.

-- name: search_queue_last
select max(id) as id from search_queue;

-- name: search_queue_next
-- What is to be done first; many nodes at once each get something else.
select id, source, stored_at, added, changed_ids, after_id, up_to_id from search_queue
order by id limit :limit {skip_locked};

-- name: search_queue_pages
select id, source, stored_at, changed_ids, after_id, up_to_id from search_queue where id > :after order by id limit :limit;

-- name: search_page
-- The new records of one page that are not in the index.
select r.id from records r left join search_entries e on e.record_id = r.id
where r.first_seen_at = :stored_at and r.source = :source and (e.version is null or e.version < r.version)
order by r.id limit :limit;

-- name: search_range
select r.id from records r left join search_entries e on e.record_id = r.id
where r.id > :after and r.id <= :up_to and (e.version is null or e.version < r.version)
order by r.id limit :limit;

-- name: search_missing
-- As above, with what tells whether they are in the queue.
select r.id, r.source, r.external_id, r.first_seen_at
from records r left join search_entries e on e.record_id = r.id
where r.id > :after and r.id <= :up_to and (e.version is null or e.version < r.version)
order by r.id limit :limit;

-- name: search_missing_of
select r.id from records r left join search_entries e on e.record_id = r.id
where r.id in ({ids}) and (e.version is null or e.version < r.version) order by r.id;

-- name: search_sources
-- What records say, for the index; of endless texts the beginning.
select id, version, substr(title, 1, :most) as title, substr(summary, 1, :most) as summary, source, kind, external_id,
       authors, tags, attributes
from records where id in ({ids}) order by id;

-- name: search_queue_done
delete from search_queue where id in ({ids});

-- name: search_queue_move
-- A range that is worked off up to a record.
update search_queue set after_id = :after, added = case when added > :taken then added - :taken else 0 end
where id = :id and after_id < :after;

-- name: search_queue_range
-- Take up all records of a range again.
insert into search_queue (source, stored_at, added, changed_ids, after_id, up_to_id)
select '', min(first_seen_at), count(*), '[]', :after, :up_to from records where id > :after and id <= :up_to
having count(*) > 0;

-- name: search_entries_forget
delete from search_entries where record_id > :after and record_id <= :up_to;

-- name: search_last
select max(record_id) as id from search_entries;

-- name: search_last_record
select max(id) as id from records;

-- name: search_since
-- Some thousand records behind the beginning of a time.
select first_seen_at from records where first_seen_at >= :since order by first_seen_at limit 1 offset :near;

-- name: search_since_first
-- The first record of a time, going by those that were seen up to an instant.
select min(id) as id from records where first_seen_at >= :since {if upto: and first_seen_at <= :upto};

-- name: search_until
-- Some thousand records before the end of a time.
select first_seen_at from records where first_seen_at < :until order by first_seen_at desc limit 1 offset :near;

-- name: search_until_last
select max(id) as id from records where first_seen_at < :until {if upto: and first_seen_at >= :upto};

-- name: search_orphans
-- Entries of records that are gone.
select e.record_id as id from search_entries e
where e.record_id > :after and not exists (select 1 from records r where r.id = e.record_id)
order by e.record_id limit :limit;

-- name: search_orphans_forget
delete from search_entries where record_id in ({ids}) and not exists (select 1 from records r where r.id = record_id);

-- name: search_task
-- What a task has seen, by source, as long as that is little.
select source, count(*) as count from (
    select source from sightings where task_id = :task_id limit :most
) seen
group by source;

-- name: search_texts
-- What ranking looks at.
select id, substr(title, 1, 1000) as title, substr(summary, 1, 4000) as summary, published_at, first_seen_at
from records where id in ({ids});

-- name: search_rows
select * from records where id in ({ids});
