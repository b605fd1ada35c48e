-- Exactly these rows: what is written meanwhile stays. Lives are named by a hash, which keeps the mutation short; uids are random,
-- so nobody can make two of them meet.
DELETE FROM @recent@
WHERE (sipHash64(@key@), version) IN ?
