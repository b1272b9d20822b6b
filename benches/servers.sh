# Starts both servers for a bench: graphwire (release build) on PGPORT, PostgreSQL on POSTGRES_PORT; sourced.
#
# GRAPHWIRE_BIN names the binary, else it is the release build; with GRAPHWIRE_URL or PGPORT set, that
# server is measured and only PostgreSQL is started.

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export GRAPHWIRE_BIN=${GRAPHWIRE_BIN:-${CARGO_TARGET_DIR:-$here/../target}/release/graphwire}
. "$here/../compat-tests/common/server.sh"
. "$here/../compat-tests/common/postgres.sh"

work=$(mktemp -d)
chmod 755 "$work"
trap 'server_stop; postgres_stop; rm -rf "$work"' EXIT
server_ready "$work" || exit 1
postgres_start "$work" shared_buffers=2GB work_mem=64MB ${POSTGRES_OPTIONS:-} || exit 1
export POSTGRES_PORT GRAPHWIRE_PID=$server_pid
export PYTHONDONTWRITEBYTECODE=1 WORK=$work
