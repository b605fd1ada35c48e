SELECT toBool(engine LIKE 'Replicated%') AS replicated FROM system.tables WHERE database = currentDatabase() AND name = 'facts'
