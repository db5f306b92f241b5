-- Who saw a record, in one index instead of two: each page writes as many entries as it has new records.
-- A record begins the key, so that it also tells which tasks saw one.

drop index sightings_by_record;
alter table sightings drop constraint sightings_pkey;
alter table sightings add primary key (source, external_id, task_id);
