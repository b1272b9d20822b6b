"""Columns and constraints of tables that have rows."""
import sqlalchemy as sa
from alembic import op

revision, down_revision = "0002", "0001"


def upgrade():
    op.add_column("book", sa.Column("isbn", sa.String(13)))
    op.add_column("book", sa.Column("in_print", sa.Boolean, server_default=sa.true(), nullable=False))
    op.alter_column("book", "pages", type_=sa.BigInteger, existing_type=sa.Integer)
    op.alter_column("book", "price", server_default=sa.text("9.99"))
    op.alter_column("author", "name", type_=sa.Text, existing_type=sa.String(80))
    op.alter_column("book", "isbn", type_=sa.BigInteger, postgresql_using="isbn::bigint")
    op.alter_column("author", "email", nullable=True, comment="may be unknown")
    op.drop_constraint("book_author", "book", type_="foreignkey")
    op.create_foreign_key("book_author_fk", "book", "author", ["author_id"], ["id"], ondelete="CASCADE")
    op.create_check_constraint("book_price", "book", "price >= 0")
    op.create_unique_constraint("book_isbn", "book", ["isbn"])
    op.create_index("ix_author_lower", "author", [sa.text("lower(name)")])
    op.create_index("ix_book_live", "book", ["author_id"], postgresql_where=sa.text("in_print"))
    op.create_index("ux_book_isbn_title", "book", ["isbn", "title"], unique=True)
    op.create_table_comment("book", "what is written")
    op.execute(sa.schema.CreateSequence(sa.Sequence("order_number", start=1000)))


def downgrade():
    op.execute(sa.schema.DropSequence(sa.Sequence("order_number")))
    op.drop_table_comment("book")
    op.drop_index("ux_book_isbn_title", table_name="book")
    op.drop_index("ix_book_live", table_name="book")
    op.drop_index("ix_author_lower", table_name="author")
    op.drop_constraint("book_isbn", "book", type_="unique")
    op.drop_constraint("book_price", "book", type_="check")
    op.drop_constraint("book_author_fk", "book", type_="foreignkey")
    op.create_foreign_key("book_author", "book", "author", ["author_id"], ["id"])
    op.alter_column("author", "email", comment=None)
    op.alter_column("author", "name", type_=sa.String(80), existing_type=sa.Text)
    op.alter_column("book", "price", server_default="0")
    op.alter_column("book", "pages", type_=sa.Integer, existing_type=sa.BigInteger)
    op.drop_column("book", "in_print")
    op.drop_column("book", "isbn")
