-- What the catalog tests look at: on graphwire and on PostgreSQL 15.
CREATE TABLE dept (
    id integer PRIMARY KEY,
    name varchar(40) NOT NULL,
    budget numeric(12,2) DEFAULT 0,
    CONSTRAINT dept_name_key UNIQUE (name)
);
CREATE TABLE emp (
    id bigint PRIMARY KEY,
    dept_id integer,
    name text NOT NULL,
    salary double precision,
    active boolean DEFAULT true,
    hired date,
    created_at timestamp,
    updated_at timestamptz,
    tags text[],
    grade char(2),
    CONSTRAINT emp_dept_fk FOREIGN KEY (dept_id) REFERENCES dept (id),
    CONSTRAINT emp_dept_ck CHECK (dept_id > 0)
);
CREATE TABLE pair (a integer, b integer, c uuid, d jsonb, e bytea, f smallint, PRIMARY KEY (b, a));
CREATE TABLE pair_ref (
    x integer,
    y integer,
    CONSTRAINT pair_ref_fk FOREIGN KEY (y, x) REFERENCES pair (b, a)
);
CREATE VIEW emp_v AS SELECT e.id, e.name, d.name AS dept FROM emp e JOIN dept d ON d.id = e.dept_id;
CREATE SCHEMA other;
CREATE TABLE other.emp (id integer PRIMARY KEY, "Mixed Case" text);
COMMENT ON TABLE emp IS 'employees';
COMMENT ON COLUMN emp.name IS 'full name';
