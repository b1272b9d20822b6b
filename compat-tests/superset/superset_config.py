"""Superset's own tables are in SQLite; only what it asks of a database under analysis goes to the server."""
import os

SECRET_KEY = "for checks only, " * 3
SQLALCHEMY_DATABASE_URI = f"sqlite:///{os.environ['SUPERSET_HOME']}/superset.db"
CACHE_CONFIG = DATA_CACHE_CONFIG = FILTER_STATE_CACHE_CONFIG = EXPLORE_FORM_DATA_CACHE_CONFIG = {"CACHE_TYPE": "NullCache"}
LOG_LEVEL = "CRITICAL"
