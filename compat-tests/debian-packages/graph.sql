CREATE PROPERTY GRAPH debian
    VERTEX TABLES (package LABEL package)
    EDGE TABLES (
        depends SOURCE KEY (package) REFERENCES package (name)
                DESTINATION KEY (dependency) REFERENCES package (name)
                LABEL depends PROPERTIES (kind, version_needed),
        related SOURCE KEY (package) REFERENCES package (name)
                DESTINATION KEY (other) REFERENCES package (name)
                LABEL related PROPERTIES (kind, version_needed)
    );
