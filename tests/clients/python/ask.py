"""Asks one question with clickhouse-connect: ask.py DSN SQL. Prints tab-separated rows."""

import sys

import clickhouse_connect

dsn, sql = sys.argv[1:]
client = clickhouse_connect.get_client(dsn=dsn)
# Clients lower limits, and may.
answer = client.query(sql, settings={"max_execution_time": 30})
for row in answer.result_rows:
    print(*row, sep="\t")
