-- What a copy does besides carrying rows.

-- name: copy_queue_search
-- The index of words is not copied: all records are new to it.
insert into search_queue (source, stored_at, added, changed_ids, after_id, up_to_id)
select '', min(first_seen_at), count(*), '[]', 0, max(id) from records having count(*) > 0;
