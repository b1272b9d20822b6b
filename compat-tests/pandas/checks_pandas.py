"""pandas over SQLAlchemy and psycopg 2: to_sql and read_sql, with the types, keys and modes that its users take."""
import csv
import io
import os
import sys
from contextlib import contextmanager

import numpy as np
import pandas as pd
import sqlalchemy as sa
from pandas.testing import assert_frame_equal

from checks import check, equal, run

SCHEMA = "compat_pandas"
URL = sa.URL.create("postgresql+psycopg2", os.environ.get("PGUSER"), os.environ.get("PGPASSWORD"),
                    os.environ["PGHOST"], int(os.environ["PGPORT"]), os.environ.get("PGDATABASE"))


@contextmanager
def connect():
    engine = sa.create_engine(URL, connect_args={"options": f"-c search_path={SCHEMA} -c TimeZone=UTC"})
    try:
        yield engine
    finally:
        engine.dispose()


def frame(rows=50):
    return pd.DataFrame({
        "i": np.arange(rows, dtype="int64"),
        "f": np.linspace(0, 1, rows),
        "b": [n % 2 == 0 for n in range(rows)],
        "s": [None if n % 7 == 0 else f"naïve {n}" for n in range(rows)],
        "t": pd.date_range("2024-01-01", periods=rows, freq="h"),
        "z": pd.date_range("2024-01-01", periods=rows, freq="D", tz="UTC"),
        "d": pd.to_timedelta(np.arange(rows), unit="s"),
    }).drop(columns=["d"])


@check
def there_and_back(engine):
    data = frame()
    equal(data.to_sql("plain", engine, index=False), len(data))
    back = pd.read_sql_table("plain", engine)
    back["z"] = back["z"].astype(data["z"].dtype)
    back["t"] = back["t"].astype(data["t"].dtype)
    assert_frame_equal(back.where(back.notna(), None).astype({"s": object}), data.where(data.notna(), None).astype({"s": object}), check_dtype=False)


@check
def replace_append_fail(engine):
    data = frame(10)
    data.to_sql("modes", engine, index=False)
    data.to_sql("modes", engine, index=False, if_exists="append")
    equal(len(pd.read_sql("SELECT * FROM modes", engine)), 20)
    data.to_sql("modes", engine, index=False, if_exists="replace")
    equal(len(pd.read_sql("modes", engine)), 10)
    try:
        data.to_sql("modes", engine, index=False, if_exists="fail")
    except ValueError:
        pass
    else:
        raise AssertionError("written over")


@check
def index_and_types(engine):
    data = frame(5).set_index("i")
    data.to_sql("indexed", engine, dtype={"s": sa.String(20), "f": sa.Numeric(8, 4)}, index_label="key")
    columns = {c["name"]: c["type"] for c in sa.inspect(engine).get_columns("indexed")}
    equal((columns["s"].length, columns["f"].precision, columns["f"].scale), (20, 8, 4))
    equal([i["column_names"] for i in sa.inspect(engine).get_indexes("indexed")], [["key"]])
    back = pd.read_sql_table("indexed", engine, index_col="key", columns=["s", "f"])
    equal(list(back.columns), ["s", "f"])
    equal(back.index.name, "key")


@check
def many_values_in_one_insert(engine):
    data = frame(300)
    data.to_sql("multi", engine, index=False, method="multi", chunksize=100)
    equal(int(pd.read_sql("SELECT sum(i) AS s FROM multi", engine)["s"][0]), sum(range(300)))


@check
def by_copy(engine):
    def insert(table, conn, keys, rows):
        with conn.connection.cursor() as cur:
            buffer = io.StringIO()
            csv.writer(buffer).writerows(rows)
            buffer.seek(0)
            columns = ", ".join(f'"{key}"' for key in keys)
            cur.copy_expert(f"COPY {table.name} ({columns}) FROM STDIN WITH CSV", buffer)
    data = frame(1000)
    data.to_sql("by_copy", engine, index=False, method=insert)
    back = pd.read_sql("SELECT i, f, b, s, t FROM by_copy ORDER BY i", engine)
    equal(list(back["i"]), list(data["i"]))
    equal(list(back["f"]), list(data["f"]))
    equal(list(back["b"]), list(data["b"]))
    equal(back["s"].isna().sum(), data["s"].isna().sum())


@check
def parameters_chunks_dates(engine):
    frame(100).to_sql("asked", engine, index=False)
    got = pd.read_sql_query(sa.text("SELECT i, t FROM asked WHERE i >= :low AND b = :b ORDER BY i"), engine,
                            params={"low": 90, "b": True}, parse_dates=["t"])
    equal(list(got["i"]), [90, 92, 94, 96, 98])
    got = pd.read_sql_query("SELECT i FROM asked WHERE i < %(high)s", engine, params={"high": 3}, dtype={"i": "int16"})
    equal(str(got["i"].dtype), "int16")
    sizes = [len(part) for part in pd.read_sql_query("SELECT * FROM asked ORDER BY i", engine, chunksize=30)]
    equal(sizes, [30, 30, 30, 10])
    with engine.connect().execution_options(stream_results=True) as conn:
        equal(sum(len(part) for part in pd.read_sql_query("SELECT * FROM asked", conn, chunksize=7)), 100)


@check
def aggregates_come_as_numbers(engine):
    frame(100).to_sql("summed", engine, index=False)
    got = pd.read_sql_query("""
        SELECT date_trunc('day', t) AS day, count(*) AS n, avg(f) AS mean, stddev(f) AS sd,
               percentile_cont(0.5) WITHIN GROUP (ORDER BY f) AS median, bool_and(b) AS all_b, string_agg(s, ',' ORDER BY i) AS names
        FROM summed GROUP BY 1 ORDER BY 1""", engine)
    data = frame(100)
    expected = data.groupby(data["t"].dt.floor("D"))["f"]
    np.testing.assert_allclose(got["mean"].astype(float), expected.mean().to_numpy())
    np.testing.assert_allclose(got["sd"].astype(float), expected.std().to_numpy())
    np.testing.assert_allclose(got["median"].astype(float), expected.median().to_numpy())
    equal(list(got["n"]), [24, 24, 24, 24, 4])


@check
def json_arrays_and_nulls(engine):
    data = pd.DataFrame({"j": [{"a": 1}, {}], "l": [[1, 2], None], "n": pd.array([1, None], dtype="Int64")})
    from sqlalchemy.dialects.postgresql import ARRAY, JSONB
    data.to_sql("nested", engine, index=False, dtype={"j": JSONB, "l": ARRAY(sa.Integer), "n": sa.SmallInteger})
    equal(list(pd.read_sql_table("nested", engine)["l"]), [[1, 2], None])
    back = pd.read_sql_table("nested", engine, columns=["n"], dtype_backend="numpy_nullable")
    equal(pd.read_sql("SELECT j ->> 'a' AS a FROM nested WHERE j ? 'a'", engine)["a"][0], "1")
    equal(str(back["n"].dtype), "Int64")


@check
def other_schema_and_transaction(engine):
    with engine.begin() as conn:
        frame(3).to_sql("elsewhere", conn, schema=SCHEMA, index=False)
        equal(pd.read_sql_table("elsewhere", conn, schema=SCHEMA).shape, (3, 6))
        conn.rollback()
    equal(sa.inspect(engine).has_table("elsewhere", schema=SCHEMA), False)


def main():
    engine = sa.create_engine(URL)
    with engine.begin() as conn:
        conn.execute(sa.text(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE"))
        conn.execute(sa.text(f"CREATE SCHEMA {SCHEMA}"))
        is_graphwire = "graphwire" in conn.scalar(sa.text("SELECT version()"))
    engine.dispose()
    return run(connect, is_graphwire)


if __name__ == "__main__":
    sys.exit(main())
