DROP VIEW published;
ALTER TABLE users DROP COLUMN name;
