-- The graph of `graphwire demo`: US airports and the flights between them in 2008.
-- `airports.csv` and `flights.csv` beside this file are copied into the two tables, in that order.
CREATE TABLE airport (
    iata      text PRIMARY KEY,
    name      text NOT NULL,
    city      text,
    state     text,
    latitude  float8 NOT NULL,
    longitude float8 NOT NULL
);

CREATE TABLE flight (
    origin      text REFERENCES airport (iata),
    destination text REFERENCES airport (iata),
    flights     int4 NOT NULL,
    PRIMARY KEY (origin, destination)
);

CREATE PROPERTY GRAPH demo
    VERTEX TABLES (
        airport KEY (iata)
            LABEL "Airport" PROPERTIES (iata, name, city, state, latitude, longitude)
    )
    EDGE TABLES (
        flight KEY (origin, destination)
            SOURCE KEY (origin) REFERENCES airport (iata)
            DESTINATION KEY (destination) REFERENCES airport (iata)
            LABEL "FLIGHT" PROPERTIES (flights)
    );
