# A PostgreSQL server of one's own for comparisons; sourced. Never run as root, so root becomes `postgres` or `nobody`.

postgres_folder=
postgres_bin=

# Sets postgres_bin to the folder that has initdb; fails if there is none.
postgres_find() {
    local folder
    for folder in "${POSTGRES_BIN:-}" /usr/lib/postgresql/15/bin /usr/lib/postgresql/*/bin "$(dirname "$(command -v initdb || echo /none)")"; do
        if [ -n "$folder" ] && [ -x "$folder/initdb" ] && [ -x "$folder/postgres" ]; then
            postgres_bin=$folder
            return 0
        fi
    done
    echo "no PostgreSQL server on this machine (initdb, postgres)" >&2
    return 1
}

postgres_as() {
    if [ "$(id -u)" != 0 ]; then
        "$@"
    else
        setpriv --reuid="$postgres_user" --regid="$(id -g "$postgres_user")" --clear-groups "$@"
    fi
}

# Makes a cluster in a folder of its own under $1 and starts it on a free port, which is left in
# POSTGRES_PORT; user and database are both `graphwire`. Further arguments go to the server.
postgres_start() {
    postgres_find || return 1
    postgres_user=postgres
    id -u postgres >/dev/null 2>&1 || postgres_user=nobody
    postgres_folder=$(mktemp -d "$1/postgres.XXXXXX")
    shift
    chmod 755 "$(dirname "$postgres_folder")"
    [ "$(id -u)" != 0 ] || chown "$postgres_user" "$postgres_folder"
    postgres_as "$postgres_bin/initdb" -D "$postgres_folder/data" -U graphwire -A trust -E UTF8 --locale=C.UTF-8 >"${TMPDIR:-/tmp}/initdb.$$" 2>&1 || {
        cat "${TMPDIR:-/tmp}/initdb.$$" >&2
        rm -f "${TMPDIR:-/tmp}/initdb.$$"
        return 1
    }
    rm -f "${TMPDIR:-/tmp}/initdb.$$"
    POSTGRES_PORT=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    local options="-p $POSTGRES_PORT -k $postgres_folder -c listen_addresses=127.0.0.1"
    local option
    for option in "$@"; do options="$options -c $option"; done
    postgres_as "$postgres_bin/pg_ctl" -D "$postgres_folder/data" -l "$postgres_folder/log" -o "$options" -w start >/dev/null || {
        cat "$postgres_folder/log" >&2
        return 1
    }
    PGHOST=127.0.0.1 PGPORT=$POSTGRES_PORT PGUSER=graphwire PGDATABASE=postgres psql -X -q -c 'CREATE DATABASE graphwire'
}

postgres_stop() {
    [ -n "$postgres_folder" ] || return 0
    postgres_as "$postgres_bin/pg_ctl" -D "$postgres_folder/data" -m immediate stop >/dev/null 2>&1
    rm -rf "$postgres_folder"
    postgres_folder=
}
