-- Scratch tables of settlings that died.
SELECT name FROM system.tables
WHERE database = currentDatabase() AND startsWith(name, 'settling_') AND metadata_modification_time < now() - 3600
