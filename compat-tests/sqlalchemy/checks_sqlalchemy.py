"""SQLAlchemy 2: engine, types, ORM with a relation, reflection, the same graph question in Core."""
import datetime as dt
import os
import sys
import uuid
from contextlib import contextmanager
from decimal import Decimal

import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.dialects.postgresql import ARRAY, BYTEA, INTERVAL, JSONB, UUID

from checks import check, equal, graph_sql, run

SCHEMA = "compat_sqlalchemy"
URL = sa.URL.create("postgresql+psycopg", os.environ.get("PGUSER"), os.environ.get("PGPASSWORD"),
                    os.environ["PGHOST"], int(os.environ["PGPORT"]), os.environ.get("PGDATABASE"))


def engine(**options):
    return sa.create_engine(URL, connect_args={"options": f"-c search_path={SCHEMA} -c TimeZone=UTC"}, **options)


@contextmanager
def connect():
    made = engine()
    try:
        yield made
    finally:
        made.dispose()


class Base(orm.DeclarativeBase):
    pass


class Author(Base):
    __tablename__ = "author"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True, autoincrement=False)
    name: orm.Mapped[str] = orm.mapped_column(sa.String(40))
    books: orm.Mapped[list["Book"]] = orm.relationship(back_populates="author", order_by="Book.id")


class Book(Base):
    __tablename__ = "book"
    id: orm.Mapped[int] = orm.mapped_column(primary_key=True, autoincrement=False)
    title: orm.Mapped[str | None]
    price: orm.Mapped[Decimal | None] = orm.mapped_column(sa.Numeric(8, 2))
    author_id: orm.Mapped[int] = orm.mapped_column(sa.ForeignKey("author.id"))
    author: orm.Mapped[Author] = orm.relationship(back_populates="books")


@check
def server_version(engine):
    with engine.connect() as conn:
        equal(conn.dialect.server_version_info[0], 15)
        equal(conn.scalar(sa.text("SELECT 1")), 1)
        equal(conn.scalar(sa.select(sa.func.current_schema())), SCHEMA)


@check
def types_both_ways(engine):
    types = [
        (sa.Boolean(), True), (sa.SmallInteger(), -5), (sa.Integer(), 2**31 - 1), (sa.BigInteger(), -2**63), (sa.Double(), 0.1),
        (sa.Numeric(10, 2), Decimal("3.15")), (sa.Text(), "naïve ☃"), (sa.String(5), "abc"), (BYTEA(), b"\0\xff"),
        (sa.Date(), dt.date(2024, 2, 29)), (sa.Time(), dt.time(1, 2, 3, 4)), (sa.DateTime(), dt.datetime(2024, 1, 2, 3, 4, 5)),
        (sa.DateTime(timezone=True), dt.datetime(2024, 1, 2, 3, 4, 5, tzinfo=dt.timezone.utc)), (INTERVAL(), dt.timedelta(days=1, seconds=2)),
        (UUID(), uuid.UUID("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")), (JSONB(), {"a": [1, None]}), (ARRAY(sa.Integer()), [1, None, 3]),
        (ARRAY(sa.Text()), ["a b", '"']),
    ]
    table = sa.Table("typed", sa.MetaData(), *(sa.Column(f"c{i}", t) for i, (t, _) in enumerate(types)))
    with engine.begin() as conn:
        table.drop(conn, checkfirst=True)
        table.create(conn)
        conn.execute(table.insert(), {f"c{i}": v for i, (_, v) in enumerate(types)})
        conn.execute(table.insert(), {})
    with engine.connect() as conn:
        rows = conn.execute(table.select().order_by(table.c.c1)).all()
    for got, (sql_type, value) in zip(rows[0], types):
        equal(got, value, str(sql_type))
    equal(set(rows[1]), {None})


@check
def orm_round(engine):
    Base.metadata.drop_all(engine)
    Base.metadata.create_all(engine)
    with orm.Session(engine) as session:
        session.add(Author(id=1, name="Ann", books=[Book(id=1, title="One", price=Decimal("9.99")), Book(id=2, title="Two")]))
        session.add(Author(id=2, name="Bob"))
        session.commit()
    with orm.Session(engine) as session:
        ann = session.scalars(sa.select(Author).where(Author.name == "Ann").options(orm.selectinload(Author.books))).one()
        equal([(b.title, b.price) for b in ann.books], [("One", Decimal("9.99")), ("Two", None)])
        ann.books[0].price += 1
        session.delete(session.get(Author, 2))
        session.commit()
    with orm.Session(engine) as session:
        joined = sa.select(Author.name, sa.func.count(Book.id), sa.func.sum(Book.price)).join(Author.books).group_by(Author.name)
        equal(session.execute(joined).all(), [("Ann", 2, Decimal("10.99"))])
        session.add(Book(id=3, title="lost", author_id=1))
        session.rollback()
        equal(session.scalar(sa.select(sa.func.count()).select_from(Book)), 2)


@check
def reflection(engine):
    Base.metadata.create_all(engine)
    inspector = sa.inspect(engine)
    assert SCHEMA in inspector.get_schema_names()
    assert {"author", "book"} <= set(inspector.get_table_names())
    columns = {c["name"]: (str(c["type"]), c["nullable"]) for c in inspector.get_columns("book")}
    equal(columns, {"id": ("INTEGER", False), "title": ("VARCHAR", True), "price": ("NUMERIC(8, 2)", True), "author_id": ("INTEGER", False)})
    equal(inspector.get_pk_constraint("book")["constrained_columns"], ["id"])
    key = inspector.get_foreign_keys("book")[0]
    equal((key["constrained_columns"], key["referred_table"], key["referred_columns"]), (["author_id"], "author", ["id"]))
    equal(inspector.get_indexes("book"), [])
    reflected = sa.Table("book", sa.MetaData(), autoload_with=engine)
    equal([c.name for c in reflected.columns], ["id", "title", "price", "author_id"])


@check
def errors(engine):
    with engine.connect() as conn:
        for text, state, kind in (("SELECT nocolumn", "42703", sa.exc.ProgrammingError), ("SELECT 1/0", "22012", sa.exc.DataError)):
            try:
                conn.execute(sa.text(text))
            except kind as error:
                equal(error.orig.sqlstate, state)
            else:
                raise AssertionError(f"{text}: no error")
            conn.rollback()


@check
def stream(engine):
    with engine.connect() as conn:
        rows = conn.execution_options(yield_per=500).execute(sa.text("SELECT i FROM generate_series(1, 5000) AS g(i)"))
        equal(sum(row.i for row in rows), 5000 * 5001 // 2)


@check(graph=True)
def graph(engine):
    with engine.begin() as conn:
        if not sa.inspect(conn).has_table("person"):
            conn.exec_driver_sql(graph_sql())
        wrapped = sa.text("SELECT x FROM cypher('compat_social', $$ MATCH (a:person)-[\\:knows]->(b) RETURN a.name AS n, b.name AS x $$) AS c WHERE n = :n ORDER BY x")
        equal(conn.scalars(wrapped, {"n": "ann"}).all(), ["bob", "cid"])
        equal(conn.exec_driver_sql("MATCH (a:person {name: 'ann'})-[:knows]->(b) RETURN b.name ORDER BY b.name").scalars().all(), ["bob", "cid"])


def main():
    with sa.create_engine(URL).begin() as conn:
        conn.execute(sa.text(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE"))
        conn.execute(sa.text(f"CREATE SCHEMA {SCHEMA}"))
        is_graphwire = "graphwire" in conn.scalar(sa.text("SELECT version()"))
    return run(connect, is_graphwire)


if __name__ == "__main__":
    sys.exit(main())
