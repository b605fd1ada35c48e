-- Accounts that can only read the views: for analysts, dashboards and scripts.
--
--     clickhouse client --user bygone --queries-file deploy/clickhouse-reader.sql
--
-- Run it as the account that bygone uses, after every "bygone schema apply": a recreated view is closed to readers. It
-- may be repeated. If the database is not called bygone, change the name here.
--
-- For accounts defined in files, as in the embedded engine, use deploy/clickhouse-reader.xml instead of parts 2 to 4.

-- 1. The views read the tables with the rights of the account that runs this: readers need none on the tables.
ALTER TABLE bygone.pods MODIFY SQL SECURITY DEFINER DEFINER = CURRENT_USER;
ALTER TABLE bygone.containers MODIFY SQL SECURITY DEFINER DEFINER = CURRENT_USER;
ALTER TABLE bygone.pods_between MODIFY SQL SECURITY DEFINER DEFINER = CURRENT_USER;
ALTER TABLE bygone.containers_between MODIFY SQL SECURITY DEFINER DEFINER = CURRENT_USER;
ALTER TABLE bygone.pods_with_ip MODIFY SQL SECURITY DEFINER DEFINER = CURRENT_USER;
ALTER TABLE bygone.containers_on_node MODIFY SQL SECURITY DEFINER DEFINER = CURRENT_USER;
ALTER TABLE bygone.containers_by_id MODIFY SQL SECURITY DEFINER DEFINER = CURRENT_USER;
ALTER TABLE bygone.containers_of_pod MODIFY SQL SECURITY DEFINER DEFINER = CURRENT_USER;
ALTER TABLE bygone.pod_by_uid MODIFY SQL SECURITY DEFINER DEFINER = CURRENT_USER;
ALTER TABLE bygone.sessions MODIFY SQL SECURITY DEFINER DEFINER = CURRENT_USER;
ALTER TABLE bygone.sessions_between MODIFY SQL SECURITY DEFINER DEFINER = CURRENT_USER;
ALTER TABLE bygone.coverage MODIFY SQL SECURITY DEFINER DEFINER = CURRENT_USER;

-- 2. Limits of a reader's queries. Clients send their own settings, so readonly is 2 and each limit has a constraint: it
-- can be lowered and not raised. The grants below decide what a reader may do at all. (ClickHouse before August 2026
-- lets a reader lift limits by SETTINGS name = DEFAULT; 26.3.23 and 26.5.8 have the fix, ClickHouse#115334. The quota holds
-- everywhere.)
CREATE SETTINGS PROFILE IF NOT EXISTS bygone_reader SETTINGS
    readonly = 2,
    max_execution_time = 90 MIN 1 MAX 90,
    max_memory_usage = 2000000000 MIN 1 MAX 2000000000,
    max_rows_to_read = 500000000 MIN 1 MAX 500000000,
    max_bytes_to_read = 100000000000 MIN 1 MAX 100000000000,
    max_result_rows = 1000000 MIN 1 MAX 1000000,
    max_threads = 4 MIN 1 MAX 4,
    max_concurrent_queries_for_user = 8 MIN 1 MAX 8,
    priority = 10 CONST,
    max_untracked_memory = 4194304 CONST,
    log_queries = true CONST;

-- 3. Readers. With a hash of zeros nobody can log in: ALTER USER analyst IDENTIFIED WITH sha256_password BY '...'.
CREATE ROLE IF NOT EXISTS bygone_reader;
GRANT SELECT ON bygone.pods TO bygone_reader;
GRANT SELECT ON bygone.containers TO bygone_reader;
GRANT SELECT ON bygone.pods_between TO bygone_reader;
GRANT SELECT ON bygone.containers_between TO bygone_reader;
GRANT SELECT ON bygone.pods_with_ip TO bygone_reader;
GRANT SELECT ON bygone.containers_on_node TO bygone_reader;
GRANT SELECT ON bygone.containers_by_id TO bygone_reader;
GRANT SELECT ON bygone.containers_of_pod TO bygone_reader;
GRANT SELECT ON bygone.pod_by_uid TO bygone_reader;
GRANT SELECT ON bygone.sessions TO bygone_reader;
GRANT SELECT ON bygone.sessions_between TO bygone_reader;
CREATE USER IF NOT EXISTS analyst IDENTIFIED WITH sha256_hash BY '0000000000000000000000000000000000000000000000000000000000000000' DEFAULT ROLE bygone_reader SETTINGS PROFILE 'bygone_reader';
CREATE USER IF NOT EXISTS analyst_shop IDENTIFIED WITH sha256_hash BY '0000000000000000000000000000000000000000000000000000000000000000' DEFAULT ROLE bygone_reader SETTINGS PROFILE 'bygone_reader';
GRANT bygone_reader TO analyst, analyst_shop;
-- It covers whole clusters, so it is not for readers of some namespaces.
GRANT SELECT ON bygone.coverage TO analyst;
CREATE QUOTA IF NOT EXISTS bygone_reader KEYED BY user_name
    FOR INTERVAL 1 hour MAX queries = 1000, read_rows = 10000000000, execution_time = 1800
    TO analyst, analyst_shop;

-- 4. Example: an account that sees two namespaces of one cluster. Every view needs a policy; one without shows all. Other
-- accounts still see everything, unless the server's users_without_row_policies_can_read_rows is false.
CREATE ROW POLICY IF NOT EXISTS analyst_shop ON bygone.pods USING cluster = 'prod' AND namespace IN ('shop', 'shop-staging') TO analyst_shop;
CREATE ROW POLICY IF NOT EXISTS analyst_shop ON bygone.containers USING cluster = 'prod' AND namespace IN ('shop', 'shop-staging') TO analyst_shop;
CREATE ROW POLICY IF NOT EXISTS analyst_shop ON bygone.pods_between USING cluster = 'prod' AND namespace IN ('shop', 'shop-staging') TO analyst_shop;
CREATE ROW POLICY IF NOT EXISTS analyst_shop ON bygone.containers_between USING cluster = 'prod' AND namespace IN ('shop', 'shop-staging') TO analyst_shop;
CREATE ROW POLICY IF NOT EXISTS analyst_shop ON bygone.pods_with_ip USING cluster = 'prod' AND namespace IN ('shop', 'shop-staging') TO analyst_shop;
CREATE ROW POLICY IF NOT EXISTS analyst_shop ON bygone.containers_on_node USING cluster = 'prod' AND namespace IN ('shop', 'shop-staging') TO analyst_shop;
CREATE ROW POLICY IF NOT EXISTS analyst_shop ON bygone.containers_by_id USING cluster = 'prod' AND namespace IN ('shop', 'shop-staging') TO analyst_shop;
CREATE ROW POLICY IF NOT EXISTS analyst_shop ON bygone.containers_of_pod USING cluster = 'prod' AND namespace IN ('shop', 'shop-staging') TO analyst_shop;
CREATE ROW POLICY IF NOT EXISTS analyst_shop ON bygone.pod_by_uid USING cluster = 'prod' AND namespace IN ('shop', 'shop-staging') TO analyst_shop;
CREATE ROW POLICY IF NOT EXISTS analyst_shop ON bygone.sessions USING cluster = 'prod' AND namespace IN ('shop', 'shop-staging') TO analyst_shop;
CREATE ROW POLICY IF NOT EXISTS analyst_shop ON bygone.sessions_between USING cluster = 'prod' AND namespace IN ('shop', 'shop-staging') TO analyst_shop;
