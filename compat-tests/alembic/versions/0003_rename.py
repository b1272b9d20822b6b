"""Other names, another schema."""
from alembic import op

revision, down_revision = "0003", "0002"


def upgrade():
    op.rename_table("author", "writer")
    op.alter_column("writer", "name", new_column_name="full_name")
    op.alter_column("book", "author_id", new_column_name="writer_id")
    op.execute("ALTER INDEX ix_book_title RENAME TO ix_title")
    op.execute("ALTER TABLE book RENAME CONSTRAINT book_pages TO pages_positive")
    op.execute("CREATE SCHEMA library")
    op.execute("ALTER TABLE book SET SCHEMA library")
    op.execute("CREATE VIEW shelf AS SELECT w.full_name, b.title FROM writer w JOIN library.book b ON b.writer_id = w.id")


def downgrade():
    op.execute("DROP VIEW shelf")
    op.execute("ALTER TABLE library.book SET SCHEMA public")
    op.execute("DROP SCHEMA library")
    op.execute("ALTER TABLE book RENAME CONSTRAINT pages_positive TO book_pages")
    op.execute("ALTER INDEX ix_title RENAME TO ix_book_title")
    op.alter_column("book", "writer_id", new_column_name="author_id")
    op.alter_column("writer", "full_name", new_column_name="name")
    op.rename_table("writer", "author")
