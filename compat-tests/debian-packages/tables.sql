-- README.md says what the rows are.
CREATE TABLE package (
    name           text PRIMARY KEY,
    version        text,
    section        text,
    priority       text,
    installed_size int8,
    description    text
);
CREATE TABLE depends (
    package         text REFERENCES package (name),
    dependency      text REFERENCES package (name),
    kind            text,
    version_needed  text,
    PRIMARY KEY (package, dependency, kind)
);
CREATE TABLE related (
    package         text REFERENCES package (name),
    other           text REFERENCES package (name),
    kind            text,
    version_needed  text,
    PRIMARY KEY (package, other, kind)
);
