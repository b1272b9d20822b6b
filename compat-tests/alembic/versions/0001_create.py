"""Tables with keys, defaults and constraints."""
import sqlalchemy as sa
from alembic import op

revision, down_revision = "0001", None


def upgrade():
    op.create_table(
        "author",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("email", sa.String(120), unique=True),
        sa.Column("created", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        comment="who writes",
    )
    op.create_table(
        "book",
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("author_id", sa.Integer, sa.ForeignKey("author.id", name="book_author"), nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("pages", sa.Integer),
        sa.Column("price", sa.Numeric(10, 2), server_default="0"),
        sa.CheckConstraint("pages > 0", name="book_pages"),
        sa.UniqueConstraint("author_id", "title", name="book_title"),
    )
    op.create_index("ix_book_title", "book", ["title"])
    op.bulk_insert(
        sa.table("author", sa.column("name", sa.String), sa.column("email", sa.String)),
        [{"name": "Ann", "email": "ann@example.org"}, {"name": "Bob", "email": None}],
    )
    op.execute("INSERT INTO book (author_id, title, pages) VALUES (1, 'One', 10), (2, 'Two', 20)")


def downgrade():
    op.drop_index("ix_book_title", table_name="book")
    op.drop_table("book")
    op.drop_table("author")
