# Functions for the scripts that need a server; sourced.

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
server_pid=

# Exports PGHOST, PGPORT, PGUSER, PGDATABASE and PGPASSWORD of the server to ask; starts one if the
# environment names none.  $1 is a directory for its log.
server_ready() {
    if [ -n "${GRAPHWIRE_URL:-}" ]; then
        server_from_url "$GRAPHWIRE_URL"
    elif [ -z "${PGHOST:-}${PGPORT:-}" ]; then
        server_start "$1" || return 1
    fi
    export PGHOST=${PGHOST:-127.0.0.1} PGPORT=${PGPORT:-5432}
    export PGUSER=${PGUSER:-graphwire} PGDATABASE=${PGDATABASE:-graphwire}
}

# postgresql://user:password@host:port/database, without escapes or options.
server_from_url() {
    local pattern='^postgres(ql)?://(([^:@/]+)(:([^@/]*))?@)?([^:/@]+)(:([0-9]+))?(/([^?]+))?$'
    if ! [[ $1 =~ $pattern ]]; then
        echo "GRAPHWIRE_URL is not postgresql://user:password@host:port/database" >&2
        exit 2
    fi
    export PGHOST=${BASH_REMATCH[6]}
    [ -z "${BASH_REMATCH[3]}" ] || export PGUSER=${BASH_REMATCH[3]}
    [ -z "${BASH_REMATCH[5]}" ] || export PGPASSWORD=${BASH_REMATCH[5]}
    [ -z "${BASH_REMATCH[8]}" ] || export PGPORT=${BASH_REMATCH[8]}
    [ -z "${BASH_REMATCH[10]}" ] || export PGDATABASE=${BASH_REMATCH[10]}
}

# The binary to start: $GRAPHWIRE_BIN, else the newest debug build.
server_binary() {
    echo "${GRAPHWIRE_BIN:-${CARGO_TARGET_DIR:-$repo/target}/debug/graphwire}"
}

# Starts the binary on a free port and waits for the line that tells it.
server_start() {
    local binary log=$1/server.log data=$1/data port
    binary=$(server_binary)
    if [ ! -x "$binary" ]; then
        echo "no $binary: run cargo build first, or set GRAPHWIRE_BIN or GRAPHWIRE_URL" >&2
        return 1
    fi
    mkdir -p "$data"
    "$binary" serve --dev --data-dir "$data" --listen 127.0.0.1:0 ${GRAPHWIRE_OPTIONS:-} >"$log" 2>&1 </dev/null &
    server_pid=$!
    server_log=$log
    for _ in $(seq 600); do
        port=$(sed -n 's/.*listening on 127\.0\.0\.1:\([0-9]*\).*/\1/p' "$log" | head -n 1)
        [ -z "$port" ] || break
        kill -0 "$server_pid" 2>/dev/null || break
        sleep 0.1
    done
    if [ -z "$port" ]; then
        echo "the server did not start:" >&2
        cat "$log" >&2
        return 1
    fi
    export PGHOST=127.0.0.1 PGPORT=$port
}

# Stops what server_start started; shows the end of its log if it died before.
server_stop() {
    [ -n "$server_pid" ] || return 0
    if kill "$server_pid" 2>/dev/null; then
        wait "$server_pid" 2>/dev/null
    else
        echo "the server ended during the run; its last lines:" >&2
        tail -n 20 "$server_log" >&2
    fi
    server_pid=
}
