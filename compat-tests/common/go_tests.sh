# Runs a Go client's own tests, each in a process of its own, as some leave transactions open; sourced.

go_passed=0 go_failed=0 go_skipped=0

# go_tests BINARY FOLDER [NAME…]: the tests of a binary of `go test -c`, in the folder of their sources; those named are
# left out, as they ask for something else than a server.
go_tests() {
    local binary=$1 folder=$2 name output
    shift 2
    cd "$folder" || return 1
    for name in $("$binary" -test.list '^(Test|Example)'); do
        [[ $name == *"${COMPAT_ONLY:-}"* ]] || continue
        [[ " $* " != *" $name "* ]] || continue
        output=$(timeout "${COMPAT_SECONDS_MAX:-60}" "$binary" -test.v -test.run "^$name\$" 2>&1)
        if grep -q "^--- SKIP: $name " <<<"$output"; then
            go_skipped=$((go_skipped + 1))
        elif grep -q "^--- PASS: $name " <<<"$output"; then
            echo "ok       $name"
            go_passed=$((go_passed + 1))
        else
            echo "FAILED   $name: $(grep -vE '^(=== |--- |FAIL|PASS|exit)' <<<"$output" | tr -s ' \t\n' ' ' | cut -c1-300)"
            go_failed=$((go_failed + 1))
        fi
    done
}

go_summary() {
    echo "$go_passed passed, $go_failed failed, $go_skipped skipped"
    [ $go_failed = 0 ] && [ $go_passed -gt 0 ]
}
