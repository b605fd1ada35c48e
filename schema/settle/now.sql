SELECT now('UTC') AS now
