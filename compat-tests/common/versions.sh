# What is installed of each client; sourced.

# The version of a client, by the folder's name.
version_of() {
    local clients=$GRAPHWIRE_CLIENTS
    case $1 in
        command-line) "$(server_binary)" --version | awk '{print $NF}' ;;
        psql|pg-dump) psql --version | awk '{print $3}' ;;
        psycopg3|cypher-app) python_version psycopg3 psycopg ;;
        psycopg2) python_version psycopg2 psycopg2-binary ;;
        asyncpg|sqlalchemy|alembic|django|pandas|pgcli) python_version "$1" "$1" ;;
        adbc) python_version adbc adbc-driver-postgresql ;;
        odbc) debian_version odbc-postgresql ;;
        superset) python_version superset apache-superset ;;
        dbt) python_version dbt dbt-postgres ;;
        jdbc) debian_version libpostgresql-jdbc-java ;;
        node-pg) node_version node-pg pg ;;
        postgres-js) node_version postgres-js postgres ;;
        sequelize|typeorm|knex) node_version "$1" "$1" ;;
        drizzle) node_version drizzle drizzle-orm ;;
        prisma) node_version prisma @prisma/client ;;
        activerecord) debian_version ruby-activerecord ;;
        dbd-pg) debian_version libdbd-pg-perl ;;
        php-pdo) php -r "echo PHP_VERSION;" ;;
        pgbouncer) debian_version pgbouncer ;;
        tokio-postgres|sqlx|diesel) crate_version "$1" ;;
        lib-pq) debian_version golang-github-lib-pq-dev ;;
        pgx) debian_version golang-github-jackc-pgx-v4-dev ;;
        *) return 1 ;;
    esac
}

# The folder among the clients, and the package on PyPI.
python_version() {
    "$clients/$1/bin/python" -c 'import importlib.metadata as m, sys; print(m.version(sys.argv[1]))' "$2"
}

node_version() {
    sed -n 's/^ *"version": *"\([^"]*\)".*/\1/p' "$clients/$1/node_modules/$2/package.json" | head -n 1
}

# The upstream version of the first of these packages that is installed.
debian_version() {
    dpkg-query -W -f '${source:Upstream-Version}\n' "$@" | head -n 1
}

crate_version() {
    grep -A 1 "^name = \"$1\"$" "$here/rust-clients/Cargo.lock" | sed -n 's/^version = "\(.*\)"/\1/p'
}
