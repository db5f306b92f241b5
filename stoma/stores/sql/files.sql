-- The last good texts of the files of configurations.

-- name: files_of
select path, content, digest from config_files where base = :base;

-- name: file_digests
select path, digest from config_files where base = :base;

-- name: file_keep
insert into config_files (base, path, content, digest, accepted_at)
values (:base, :path, :content, :digest, :now)
on conflict (base, path) do update set
    content = excluded.content, digest = excluded.digest, accepted_at = excluded.accepted_at;

-- name: file_forget
delete from config_files where base = :base and path = :path;
