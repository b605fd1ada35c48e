-- One piece, folded and judged.
CREATE TABLE {scratch:Identifier} ENGINE = MergeTree ORDER BY tuple() AS
SELECT * FROM settling(until = {until:DateTime('UTC')}, first = {first:UUID}, next = {next:UUID}, forget = {forget:DateTime64(6, 'UTC')})
