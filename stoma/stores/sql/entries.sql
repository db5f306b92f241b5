-- Entries of feeds, through their view.

-- name: entries_newest
select * from entries order by id desc limit :limit;
