-- Four people who know each other, for the checks that ask a graph.
-- ann -> bob -> cid -> dan, ann -> cid; dan knows nobody.
CREATE TABLE person (id int4 PRIMARY KEY, name text NOT NULL, age int4);
CREATE TABLE knows (src int4 REFERENCES person (id), dst int4 REFERENCES person (id), since date, PRIMARY KEY (src, dst));
INSERT INTO person VALUES (1, 'ann', 31), (2, 'bob', 42), (3, 'cid', 27), (4, 'dan', NULL);
INSERT INTO knows VALUES (1, 2, '2020-01-01'), (2, 3, '2021-02-03'), (3, 4, '2022-03-04'), (1, 3, '2019-12-31');
CREATE PROPERTY GRAPH compat_social
    VERTEX TABLES (person LABEL person PROPERTIES (id, name, age))
    EDGE TABLES (knows SOURCE KEY (src) REFERENCES person (id)
                       DESTINATION KEY (dst) REFERENCES person (id) LABEL knows PROPERTIES (since));
