-- The index of words, and which version of a record is in it.

-- The words lie apart from the rest of a row (the target, external): hits are sorted by number without reading them;
-- only phrases look at them.
create table search_entries (
    record_id bigint primary key,
    version integer not null,
    first_seen_at {instant} not null,
    words tsvector not null
) with (toast_tuple_target = 128);
alter table search_entries alter column words set storage external;
-- Nobody asks how frequent a word is (see search_by_index), and gathering that is dear.
alter table search_entries alter column words set statistics 0;

-- With a list of what was added last, sorted in when it is long: three to four times as quick as word by word. Searches
-- look through that list, so it is kept short, and `search_tidy` sorts it in when nothing more is coming.
create index search_entries_words on search_entries using gin (words) with (fastupdate = on);

create function search_forgets() returns trigger language plpgsql set search_path from current as $$
begin
    delete from search_entries where record_id = old.id;
    return null;
end $$;
create trigger search_forgets after delete on records for each row execute function search_forgets();

-- Only its owner may tidy an index; who writes need not be the owner.
create function search_tidy() returns bigint language sql security definer set search_path from current as $$
    select gin_clean_pending_list('search_entries_words')
$$;
