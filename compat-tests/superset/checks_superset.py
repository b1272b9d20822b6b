"""Superset's engine spec for PostgreSQL: what its SQL Lab, its datasets and its charts ask of a database."""
import contextlib
import logging
import os
import sys
import threading
import time

logging.disable(logging.CRITICAL)
from superset.app import create_app  # noqa: E402

APP = create_app()
APP.app_context().push()

import pandas as pd  # noqa: E402
from flask_appbuilder import Model  # noqa: E402
from superset import db  # noqa: E402
from superset.connectors.sqla.models import SqlaTable, SqlMetric, TableColumn  # noqa: E402
from superset.db_engine_specs.postgres import PostgresEngineSpec  # noqa: E402
from superset.models.core import Database  # noqa: E402
from superset.sql.parse import Table  # noqa: E402

from checks import check, equal, run  # noqa: E402

SCHEMA = "superset_checks"
Model.metadata.create_all(db.engine)


def url(**changes):
    parts = {"user": os.environ["PGUSER"], "password": os.environ.get("PGPASSWORD", ""),
             "host": os.environ["PGHOST"], "port": os.environ["PGPORT"], "database": os.environ["PGDATABASE"]} | changes
    return "postgresql+psycopg2://{user}:{password}@{host}:{port}/{database}".format(**parts)


@contextlib.contextmanager
def connect():
    database = Database(database_name=f"checks {time.monotonic()}", sqlalchemy_uri=url(), expose_in_sqllab=True)
    database.set_sqlalchemy_uri(url())
    db.session.add(database)
    db.session.commit()
    execute(database, f"""
        DROP SCHEMA IF EXISTS {SCHEMA} CASCADE; CREATE SCHEMA {SCHEMA}; SET search_path = {SCHEMA};
        CREATE TABLE regions (id int PRIMARY KEY, name text NOT NULL);
        CREATE TABLE sales (id serial PRIMARY KEY, region int REFERENCES regions, sold timestamp NOT NULL, amount numeric(10,2),
                            product varchar(20), tags text[], extra jsonb);
        COMMENT ON TABLE sales IS 'what was sold'; COMMENT ON COLUMN sales.amount IS 'in euros';
        CREATE INDEX sales_by_product ON sales (product, sold);
        CREATE VIEW big_sales AS SELECT * FROM sales WHERE amount > 50;
        INSERT INTO regions VALUES (1, 'north'), (2, 'south');
        INSERT INTO sales (region, sold, amount, product, tags, extra)
            SELECT 1 + n % 2, timestamp '2024-02-28 22:00' + n * interval '7 hours', n * 10, chr(97 + n % 3), ARRAY['t' || n], '{{"n": 1}}'
            FROM generate_series(0, 11) AS g(n)""")
    try:
        yield database
    finally:
        db.session.rollback()


def execute(database, text):
    with database.get_raw_connection() as connection:
        connection.cursor().execute(text)
        connection.commit()


def dataset(database):
    table = SqlaTable(table_name="sales", schema=SCHEMA, database=database)
    table.columns = [TableColumn(column_name=name, type=kind, is_dttm=name == "sold")
                     for name, kind in [("region", "INTEGER"), ("sold", "TIMESTAMP"), ("amount", "NUMERIC"), ("product", "VARCHAR")]]
    table.metrics = [SqlMetric(metric_name="total", expression="sum(amount)"), SqlMetric(metric_name="count", expression="count(*)")]
    table.main_dttm_col = "sold"
    return table


@check
def the_engine_spec_and_a_ping(database):
    equal(database.db_engine_spec is PostgresEngineSpec, True)
    with database.get_sqla_engine() as engine:
        equal(engine.dialect.do_ping(engine.raw_connection()), True)


@check
def catalogs_schemas_tables_and_views(database):
    equal(os.environ["PGDATABASE"] in database.get_all_catalog_names(), True)
    schemas = database.get_all_schema_names(catalog=None)
    equal({SCHEMA, "public", "information_schema"} <= set(schemas), True)
    equal({name for name, *_ in database.get_all_table_names_in_schema(None, SCHEMA)}, {"regions", "sales"})
    equal({name for name, *_ in database.get_all_view_names_in_schema(None, SCHEMA)}, {"big_sales"})
    equal(database.get_default_schema(None), "public")


@check
def columns_keys_indexes_and_comments(database):
    table = Table("sales", SCHEMA)
    columns = database.get_columns(table)
    equal([(column["column_name"], str(column["type"])) for column in columns],
          [("id", "INTEGER"), ("region", "INTEGER"), ("sold", "TIMESTAMP"), ("amount", "NUMERIC(10, 2)"),
           ("product", "VARCHAR(20)"), ("tags", "ARRAY"), ("extra", "JSONB")])
    equal(columns[3]["comment"], "in euros")
    with database.get_inspector() as inspector:
        equal(inspector.get_pk_constraint("sales", SCHEMA)["constrained_columns"], ["id"])
    equal([key["referred_table"] for key in database.get_foreign_keys(table)], ["regions"])
    equal([index["column_names"] for index in database.get_indexes(table)], [["product", "sold"]])
    equal(database.get_table_comment(table), "what was sold")


@check
def select_star(database):
    text = database.select_star(Table("sales", SCHEMA), limit=5, show_cols=True, latest_partition=False)
    frame = database.get_df(text)
    equal((len(frame), list(frame.columns)), (5, ["id", "region", "sold", "amount", "product", "tags", "extra"]))


@check
def every_time_grain(database):
    expected = {
        None: "2024-02-29 13:47:38.500", "PT1S": "2024-02-29 13:47:38", "PT5S": "2024-02-29 13:47:35",
        "PT30S": "2024-02-29 13:47:30", "PT1M": "2024-02-29 13:47:00", "PT5M": "2024-02-29 13:45:00",
        "PT10M": "2024-02-29 13:40:00", "PT15M": "2024-02-29 13:45:00", "PT30M": "2024-02-29 13:30:00",
        "PT1H": "2024-02-29 13:00:00", "P1D": "2024-02-29 00:00:00", "P1W": "2024-02-26 00:00:00",
        "P1M": "2024-02-01 00:00:00", "P3M": "2024-01-01 00:00:00", "P1Y": "2024-01-01 00:00:00"}
    grains = PostgresEngineSpec.get_time_grain_expressions()
    for grain, text in expected.items():
        template = grains.pop(grain)
        found = database.get_df(f"SELECT {template.format(col='t')} AS x FROM (SELECT timestamp '2024-02-29 13:47:38.5' AS t) AS s")
        equal(found["x"][0], pd.Timestamp(text), str(grain))
    for grain, template in grains.items():
        database.get_df(f"SELECT {template.format(col='t')} AS x FROM (SELECT timestamp '2024-02-29 13:47:38.5' AS t) AS s")


@check
def dates_as_superset_writes_them(database):
    from datetime import datetime
    for kind in ["DATE", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE"]:
        text = PostgresEngineSpec.convert_dttm(kind, datetime(2024, 2, 29, 13, 47, 38, 123456))
        equal(len(database.get_df(f"SELECT {text} AS x")), 1, kind)
    epoch = PostgresEngineSpec.epoch_to_dttm().format(col="86400")
    equal(str(database.get_df(f"SELECT ({epoch})::date::text AS x")["x"][0]), "1970-01-02")


@check
def a_chart_over_time(database):
    table = dataset(database)
    found = table.query({
        "granularity": "sold", "is_timeseries": True, "extras": {"time_grain_sqla": "P1D"}, "groupby": [], "columns": [],
        "metrics": ["total", "count"], "from_dttm": pd.Timestamp("2024-02-28"), "to_dttm": pd.Timestamp("2024-03-02"),
        "filter": [], "row_limit": 100, "orderby": []})
    equal(found.error_message, None)
    equal(len(found.df), 3)


@check
def a_chart_with_groups_filters_and_a_limit_of_series(database):
    table = dataset(database)
    found = table.query({
        "granularity": "sold", "is_timeseries": True, "extras": {"time_grain_sqla": "PT1H"}, "columns": ["product"],
        "metrics": ["total"], "from_dttm": None, "to_dttm": None, "series_limit": 2, "timeseries_limit": 2,
        "series_columns": ["product"], "filter": [{"col": "region", "op": "IN", "val": [1, 2]}, {"col": "product", "op": "LIKE", "val": "%"}],
        "row_limit": 100, "order_desc": True})
    equal(found.error_message, None)
    equal(len(set(found.df["product"])), 2)


@check
def values_for_a_filter(database):
    equal(sorted(dataset(database).values_for_column("product", limit=10)), ["a", "b", "c"])


@check(gap="EXPLAIN shows no costs, so there is no estimate")
def the_estimate_of_costs(database):
    with database.get_raw_connection() as connection:
        found = PostgresEngineSpec.estimate_statement_cost(database, f"SELECT * FROM {SCHEMA}.sales", connection.cursor())
    equal(set(found), {"Start-up cost", "Total cost"})


@check
def frames_with_arrays_json_and_nulls(database):
    frame = database.get_df(f"SELECT tags, extra, NULL::int AS n, amount, sold FROM {SCHEMA}.sales ORDER BY id LIMIT 2", schema=SCHEMA)
    equal(len(frame), 2)
    frame = database.get_df("SELECT count(*) AS n FROM sales", schema=SCHEMA)
    equal(int(frame["n"][0]), 12, "with the schema of the drop-down as search_path")


@check
def types_of_a_result(database):
    with database.get_raw_connection() as connection:
        cursor = connection.cursor()
        cursor.execute(f"SELECT id, amount, product, sold FROM {SCHEMA}.sales")
        equal([PostgresEngineSpec.get_datatype(column[1]) for column in cursor.description],
              ["INTEGER", "DECIMAL", "STRING", "DATETIME"])


@check
def errors_are_recognized(database):
    def kind(text, changes=None):
        try:
            with Database(database_name="x", sqlalchemy_uri=url(**(changes or {}))).get_raw_connection() as connection:
                connection.cursor().execute(text)
        except Exception as error:  # whatever the driver raises
            return PostgresEngineSpec.extract_errors(error)[0].error_type.name
        return None
    equal(kind("SELEC 1"), "SYNTAX_ERROR")
    equal(kind("SELECT 1", {"database": "no_such_database"}), "CONNECTION_UNKNOWN_DATABASE_ERROR")


@check
def a_query_is_ended_from_elsewhere(database):
    ended = []

    def sleep(connection, cursor):
        try:
            cursor.execute("SELECT pg_sleep(30)")
        except Exception as error:  # the driver's, as the connection ends
            ended.append(error)
    with database.get_raw_connection() as connection, database.get_raw_connection() as other:
        cursor = connection.cursor()
        number = PostgresEngineSpec.get_cancel_query_id(cursor, None)
        thread = threading.Thread(target=sleep, args=(connection, cursor))
        thread.start()
        time.sleep(0.3)
        equal(PostgresEngineSpec.cancel_query(other.cursor(), None, number), True)
        thread.join(10)
    equal(len(ended), 1)


@check
def a_file_is_loaded(database):
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", None], "c": pd.to_datetime(["2024-01-01", "2024-01-02"])})
    for mode in ["fail", "replace", "append"]:
        PostgresEngineSpec.df_to_sql(database, Table("loaded", SCHEMA), frame, {"if_exists": mode, "index": False})
    found = database.get_df(f"SELECT count(*) AS n, count(b) AS b FROM {SCHEMA}.loaded")
    equal((int(found["n"][0]), int(found["b"][0])), (4, 2))


@check(graph=True)
def a_view_over_a_graph(database):
    """Superset's parser does not know GRAPH_TABLE, so a dataset over a graph is a view."""
    execute(database, f"""
        SET search_path = {SCHEMA};
        CREATE TABLE follows (id int PRIMARY KEY, a int REFERENCES regions, b int REFERENCES regions);
        INSERT INTO follows VALUES (1, 1, 2);
        CREATE PROPERTY GRAPH superset_graph VERTEX TABLES (regions KEY (id) LABEL region PROPERTIES (id, name))
            EDGE TABLES (follows KEY (id) SOURCE KEY (a) REFERENCES regions (id) DESTINATION KEY (b) REFERENCES regions (id));
        CREATE VIEW followed AS SELECT b, count(*) AS n
            FROM GRAPH_TABLE (superset_graph MATCH (x IS region)-[]->(y IS region) COLUMNS (y.name AS b)) GROUP BY b""")
    frame = database.get_df("SELECT * FROM followed", schema=SCHEMA)
    equal((list(frame["b"]), [int(n) for n in frame["n"]]), (["south"], [1]))
    equal([column["column_name"] for column in database.get_columns(Table("followed", SCHEMA))], ["b", "n"])


if __name__ == "__main__":
    with connect() as probe:
        version = probe.get_df("SELECT version() AS v")["v"][0]
    sys.exit(run(connect, "graphwire" in version))
