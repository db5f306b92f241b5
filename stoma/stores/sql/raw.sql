-- Raw pages: what sources answered, and what became of it.

-- name: raw_page_add
insert into raw_pages (task_id, run_id, fence, number, fingerprint, request, url, status, headers, body, size,
                       fetched_at, keep_until)
values (:task_id, :run_id, :fence, :number, :fingerprint, :request, :url, :status, :headers, :body, :size,
        :fetched_at, :keep_until);

-- name: raw_attempts_of
-- What can be replayed of a task, the newest first; what has expired may be half deleted already.
select run_id, fence, fingerprint, context, began_at from raw_attempts
where task_id = :task_id and began_at >= :since and keep_until > :now
order by began_at desc, run_id desc, fence desc;

-- name: raw_answers_of
-- The answers of an attempt in order of time, without their bodies.
select id, request, url, status, headers, fetched_at from raw_pages
where run_id = :run_id and fence = :fence order by id;

-- name: raw_body
select body from raw_pages where id = :id;

-- name: raw_given_of
-- What each page of an attempt gave, in order.
select number, ids, saved_at from raw_given where run_id = :run_id and fence = :fence order by number;

-- name: raw_kept
-- How much is kept of a task, and since when.
select count(*) as pages, coalesce(sum(size), 0) as size, coalesce(sum(length(body)), 0) as bytes,
       min(fetched_at) as oldest_at, max(keep_until) as last_until
from raw_pages where task_id = :task_id and keep_until > :now;

-- name: raw_pages_expire
delete from raw_pages where id in (
    select id from raw_pages where keep_until <= :now order by keep_until limit :limit
);

-- name: raw_given_expire
delete from raw_given where (run_id, fence, number) in (
    select run_id, fence, number from raw_given where keep_until <= :now order by keep_until limit :limit
);

-- name: raw_attempts_expire
-- Behind all that belongs to them: as long as one is there, there may be something left to delete.
delete from raw_attempts where (run_id, fence) in (
    select a.run_id, a.fence from raw_attempts a
    where a.keep_until <= :now
        and not exists (select 1 from raw_pages p where p.run_id = a.run_id and p.fence = a.fence)
        and not exists (select 1 from raw_given g where g.run_id = a.run_id and g.fence = a.fence)
    order by a.keep_until limit :limit
);

-- name: raw_expired
select 1 as is_there from raw_attempts where keep_until <= :now limit 1;
