\set QUIET on
SET client_min_messages = warning;
DROP TABLE IF EXISTS described;
CREATE TABLE described (id int PRIMARY KEY, word text);
\d described
CREATE POLICY everything ON described USING (true);
\d described
ALTER TABLE described ENABLE ROW LEVEL SECURITY;
CREATE POLICY one ON described AS RESTRICTIVE FOR SELECT TO pol_alice, pol_bob USING (id = 1);
CREATE POLICY two ON described FOR INSERT TO pol_owner WITH CHECK (id > 2);
CREATE POLICY three ON described FOR UPDATE USING (id = 3) WITH CHECK (id < 3);
\d described
ALTER TABLE described FORCE ROW LEVEL SECURITY;
DROP POLICY one ON described;
\d described
SELECT polname, polcmd, polpermissive, polroles = '{0}' AS everybody FROM pg_policy WHERE polrelid = 'described'::regclass ORDER BY 1;
SELECT tablename, rowsecurity FROM pg_tables WHERE tablename = 'described';
DROP TABLE described;
