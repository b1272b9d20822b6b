# A server with passwords, several tenants and a data directory; sourced after server.sh.

# Starts one on a free port. $1 is a directory for its files. Exports PGHOST, PGPORT, OPERATOR_PASSWORD.
password_server_start() {
    local log=$1/server.log data=$1/data port
    local binary
    binary=$(server_binary)
    if [ ! -x "$binary" ]; then
        echo "no $binary: run cargo build first, or set GRAPHWIRE_BIN" >&2
        return 1
    fi
    mkdir -p "$data"
    "$binary" serve --data-dir "$data" --listen 127.0.0.1:0 ${GRAPHWIRE_OPTIONS:-} >"$log" 2>&1 </dev/null &
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
    OPERATOR_PASSWORD=$(sed -n 's/.*generated password \([A-Za-z0-9]*\).*/\1/p' "$log" | head -n 1)
    export PGHOST=127.0.0.1 PGPORT=$port OPERATOR_PASSWORD
}

# A statement by the operator of the system tenant.
operator() {
    PGPASSWORD=$OPERATOR_PASSWORD psql -XAtqw -v ON_ERROR_STOP=1 -U graphwire -d graphwire "$@"
}
