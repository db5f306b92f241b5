-- What was new to a task itself: other tasks may have stored the same records before.

-- Records that the task had not seen yet, or not as they are now. Runs before this one count by `new` and `changed`.
alter table runs add column fresh bigint not null default 0;
