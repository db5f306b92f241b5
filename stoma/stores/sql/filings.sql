-- Filings and the lines of insider forms, through their views.

-- name: filings_newest
select * from filings order by id desc limit :limit;

-- name: transactions_newest
select * from transactions order by id desc limit :limit;
