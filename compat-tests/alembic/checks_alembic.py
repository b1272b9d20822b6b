"""Alembic: migrations up and down, one by one, and what the inspector sees in between."""
import os
import sys

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import MetaData, create_engine, inspect, text

from checks import check, equal, run

HERE = os.path.dirname(os.path.abspath(__file__))
URL = "postgresql+psycopg://{}:{}@{}:{}/{}".format(
    os.environ.get("PGUSER", "postgres"), os.environ.get("PGPASSWORD", ""), os.environ.get("PGHOST", "127.0.0.1"),
    os.environ.get("PGPORT", "5432"), os.environ.get("PGDATABASE", "postgres"))
ENGINE = create_engine(URL)


def config():
    made = Config()
    made.set_main_option("script_location", HERE)
    made.set_main_option("sqlalchemy.url", URL.replace("%", "%%"))
    return made


@check
def starts_clean(connection):
    connection.execute(text("DROP SCHEMA IF EXISTS library CASCADE"))
    connection.execute(text("DROP VIEW IF EXISTS shelf"))
    connection.execute(text("DROP TABLE IF EXISTS book, author, writer, alembic_version CASCADE"))
    connection.execute(text("DROP SEQUENCE IF EXISTS order_number"))
    connection.commit()


@check
def create(connection):
    command.upgrade(config(), "0001")
    inspector = inspect(connection)
    equal({"author", "book"} <= set(inspector.get_table_names()), True)
    columns = {column["name"]: column for column in inspector.get_columns("book")}
    equal(columns["id"]["identity"]["always"], True)
    equal(inspector.get_pk_constraint("book")["constrained_columns"], ["id"])
    equal([key["referred_table"] for key in inspector.get_foreign_keys("book")], ["author"])
    equal(inspector.get_table_comment("author")["text"], "who writes")
    equal(connection.execute(text("SELECT count(*) FROM author WHERE created IS NOT NULL")).scalar(), 2)


@check
def alter(connection):
    command.upgrade(config(), "0002")
    inspector = inspect(connection)
    equal(inspector.get_foreign_keys("book")[0]["options"].get("ondelete"), "CASCADE")
    equal(sorted(c["name"] for c in inspector.get_check_constraints("book")), ["book_pages", "book_price"])
    equal(sorted(u["name"] for u in inspector.get_unique_constraints("book")), ["book_isbn", "book_title"])
    indexes = {index["name"]: index for index in inspector.get_indexes("book")}
    equal(indexes["ux_book_isbn_title"]["unique"], True)
    equal(str(inspector.get_columns("book")[3]["type"]), "BIGINT")
    connection.execute(text("INSERT INTO book (author_id, title) VALUES (1, 'Three')"))
    equal(str(connection.execute(text("SELECT price FROM book WHERE title = 'Three'")).scalar()), "9.99")
    equal(connection.execute(text("SELECT nextval('order_number')")).scalar(), 1000)
    connection.commit()


@check
def rename(connection):
    command.upgrade(config(), "head")
    rows = connection.execute(text("SELECT full_name, title FROM shelf ORDER BY title")).all()
    equal([tuple(row) for row in rows], [("Ann", "One"), ("Ann", "Three"), ("Bob", "Two")])
    equal("book" in inspect(connection).get_table_names(schema="library"), True)


@check
def autogenerate_finds_nothing_new(connection):
    metadata = MetaData()
    metadata.reflect(connection)
    context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
    equal([d for d in compare_metadata(context, metadata) if "alembic_version" not in str(d)], [])


@check
def down_one_by_one(connection):
    command.downgrade(config(), "0002")
    equal("author" in inspect(connection).get_table_names(), True)
    connection.rollback()
    command.downgrade(config(), "0001")
    equal("isbn" in [column["name"] for column in inspect(connection).get_columns("book")], False)
    connection.rollback()
    command.downgrade(config(), "base")
    equal({"author", "book"} & set(inspect(connection).get_table_names()), set())


@check
def up_and_down_at_once(connection):
    command.upgrade(config(), "head")
    command.downgrade(config(), "base")
    connection.execute(text("DROP TABLE alembic_version"))
    connection.commit()


if __name__ == "__main__":
    sys.exit(run(ENGINE.connect, False))
