"""A plugin for SQLAlchemy's suite: does not create citext and hstore, which its dialect suite never uses."""
import sqlalchemy.dialects.postgresql.provision as provision

provision._extensions = []
