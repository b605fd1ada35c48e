// Asks one question with clickhouse-go: ask DSN SQL. Prints tab-separated rows.
package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
)

func main() {
	if err := ask(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func ask(dsn, sql string) error {
	options, err := clickhouse.ParseDSN(dsn)
	if err != nil {
		return err
	}
	database := clickhouse.OpenDB(options)
	defer database.Close()
	// As Grafana's plugin does, with its default: the client makes max_execution_time of it.
	deadline, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	rows, err := database.QueryContext(deadline, sql)
	if err != nil {
		return err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return err
	}
	for rows.Next() {
		values := make([]any, len(columns))
		into := make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			return err
		}
		cells := make([]string, len(columns))
		for i, value := range values {
			// What may be NULL comes as a pointer.
			if text, ok := value.(*string); ok && text != nil {
				value = *text
			}
			cells[i] = fmt.Sprint(value)
		}
		fmt.Println(strings.Join(cells, "\t"))
	}
	return rows.Err()
}
