# Sourced by tests/run: the API suite, the journeys and the audit that ends each of
# their tests, over other ways to run the contexts. The snapshots are those of one
# process, byte for byte.

contexts=(order payment inventory user notification shipping)

# Each line: the contexts on Postgres (or sqlite, or postgres for all), then the
# processes, the front first; clients ask each process that is its equal in turn.
# `broker` is one process whose events go over NATS.
chosen() {
    cat <<END
sqlite broker
sqlite order,inventory,user,notification,shipping payment
sqlite gateway order,payment,inventory,user,notification,shipping
sqlite payment order,shipping user,inventory,notification
sqlite order payment inventory user notification shipping
payment order,inventory,user,notification,shipping payment
order,inventory user order,payment inventory notification,shipping
postgres gateway order,payment,inventory,user,notification,shipping
postgres notification,user order,inventory payment,shipping
postgres order payment inventory user notification shipping
postgres order,payment,inventory,user,notification,shipping order,payment,inventory,user,notification,shipping
postgres order,user order,inventory,payment user,inventory,payment,shipping,notification shipping,notification
END
}

# Every way to part the contexts into processes: the next one joins a part that
# there is, or begins one.
partitions() {
    local next=$1 part joined
    shift
    if [ "$next" = ${#contexts[@]} ]; then
        printf 'sqlite %s\n' "$*"
        return
    fi
    local parts=("$@")
    for part in "${!parts[@]}"; do
        joined=("${parts[@]}")
        joined[part]+=,${contexts[next]}
        partitions $((next + 1)) "${joined[@]}"
    done
    partitions $((next + 1)) "${parts[@]}" "${contexts[next]}"
}

# What a topology's result depends on: a changed README leaves it as it was.
sources=(Cargo.toml Cargo.lock app config contexts migrations shared-kernel tests)

# The name of this very code: the hash of its trees.
of_code() {
    local trees name
    if ! trees=$(git rev-parse "${sources[@]/#/HEAD:}" 2>/dev/null); then
        echo unknown-changed
        return
    fi
    name=$(git hash-object --stdin <<<"$trees" | cut -c1-12)
    [ -z "$(git status --porcelain -- "${sources[@]}")" ] || name=$name-changed
    echo "$name"
}

# Runs the lines of its input, and keeps a report. What has passed with this very
# code is not run again.
topologies() {
    local code report line store parts began log
    code=$(of_code)
    report=$PWD/target/topologies/$code
    log=$scratch/topology.log
    mkdir -p "${report%/*}"
    [ "${code%-changed}" = "$code" ] || rm -f "$report"
    touch "$report"
    local lines=() done=0 failed=0
    mapfile -t lines
    [ ! -s "$report" ] || echo "what has passed with this code before is not run again: $report"
    for line in "${lines[@]}"; do
        done=$((done + 1))
        grep -qxF -- "passed $line" <(sed 's/ ([^)]*)$//' "$report") && continue
        read -r store parts <<<"$line"
        began=$SECONDS
        if over "$store" "$parts" >"$log" 2>&1; then
            line="passed $line ($(sed -n 's/^test result: ok. \([0-9]* passed\).*/\1/p' "$log"), $((SECONDS - began)) s)"
        else
            failed=$((failed + 1))
            line="failed $line"
            cp "$log" "$report.$done.log"
            sed -n '/^failures:$/,$p' "$log"
        fi
        printf '%s\n' "$line" >>"$report"
        printf '%3d of %d: %s\n' "$done" "${#lines[@]}" "$line"
    done
    [ "$failed" = 0 ] || fail "$failed topologies failed; their logs are beside the report in $report"
    printf 'each of %d topologies has passed; the report is %s\n' "${#lines[@]}" "$report"
}

# One topology. One that says of no test that it passed has not passed.
over() {
    local environment=(CLEAVE_TEST_STORE="$1" CLEAVE_TEST_TOPOLOGY="$2")
    [ "$2" != broker ] || environment=(CLEAVE_TEST_STORE="$1" CLEAVE_TEST_BUS=nats)
    env "${environment[@]}" cargo test --workspace --test suites -- api:: journeys::
}
