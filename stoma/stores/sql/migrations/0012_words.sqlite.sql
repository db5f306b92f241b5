-- The index of words. `search_entries` says which version of a record is in it.

-- Without the texts, for those are in `records`, and without their lengths, which nobody asks for. A text is our own
-- words with blanks between them: `ascii` leaves them as they are, letters outside of ASCII too.
-- A row's number is that of the record and its version (see `search_ids`): what is superseded stays behind until the
-- index is built anew, and is not found, because no entry names it.
create virtual table search_words using fts5(words, content='', columnsize=0, tokenize='ascii');

create table search_entries (
    record_id integer primary key,
    version integer not null,
    first_seen_at {instant} not null
);

create trigger search_forgets after delete on records begin
    delete from search_entries where record_id = old.id;
end;
