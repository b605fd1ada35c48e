-- One piece, folded and judged. Its parts are compact: else each of its columns, of which there are hundreds, would need buffers of its own.
CREATE TABLE {scratch:Identifier} ENGINE = MergeTree ORDER BY tuple() SETTINGS min_bytes_for_wide_part = 4294967296, min_rows_for_wide_part = 4294967296 AS
SELECT * FROM settling(until = {until:DateTime('UTC')}, first = {first:UUID}, next = {next:UUID}, forget = {forget:DateTime64(6, 'UTC')})
