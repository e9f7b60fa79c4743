# What run.sh of the examples share: the program, a folder that goes when it ends, waiting, a story told
# line by line. Sourced, not run. $NET is the network whose addresses stand for the machines.
set -eu
PATH="$here/../../node_modules/.bin:$PATH"
bin=${ARBITER_BIN:-$here/../../bin/arbiter.js}
NET=${NET:-127.0.0}
work=$(mktemp -d)
started=""

# Everything that was started and still runs, by its own number; daemons before arbiters.
finish() {
  code=$?
  trap - EXIT INT TERM
  for pid in $started; do kill "$pid" 2>/dev/null || true; done
  for pid in $started; do wait "$pid" 2>/dev/null || true; done
  if [ "$code" -ne 0 ]; then tail -n 20 "$work"/*.log; fi
  rm -rf "$work"
  exit "$code"
}
trap finish EXIT
trap 'exit 130' INT TERM

say() { printf '\n== %s\n' "$*"; }

arbiter() { node "$bin" "$@"; }

# start NAME COMMAND...: in the background, its output in NAME.log, its number in NAME.pid.
start() {
  log=$1
  shift
  "$@" >>"$work/$log.log" 2>&1 &
  echo $! >"$work/$log.pid"
  started="$! $started"
}

# lose NAME: as if its machine had lost power.
lose() {
  kill -9 "$(cat "$work/$1.pid")"
  wait "$(cat "$work/$1.pid")" 2>/dev/null || true
}

# until_true SECONDS COMMAND...: tries until it succeeds.
until_true() {
  left=$(($1 * 5))
  shift
  until "$@" >/dev/null 2>&1; do
    left=$((left - 1))
    if [ "$left" -le 0 ]; then
      echo "This did not become true: $*"
      exit 1
    fi
    sleep 0.2
  done
}

# machine NAME: a folder for one machine, with the same configuration as the others.
machine() {
  mkdir -p "$work/$1"
  cp -r "$here/etc" "$work/$1/etc"
  find "$work/$1/etc" -name '*.cfg' -exec sed -i "s/127\.0\.0\./$NET./g" {} +
}

holder() { arbiter resolve web --config "$work/$1/etc"; }
held_by() { arbiter resolve web --json --config "$work/$1/etc" | grep -q "\"holder\": *\"$2\""; }
leads() { arbiter leader --config "$work/$1/etc" | grep -q "^$2 "; }

# web_daemons NAME: a master and a spare of the service `web`, as that machine's files say; while active,
# each writes its name and epoch to work.txt, five times a second.
web_daemons() {
  for name in web-1 web-2; do
    role=master
    [ "$name" = web-2 ] && role=spare
    start "$name" node "$bin" daemon --role "$role" --name "$name" --config "$work/$1/etc" \
      --state-dir "$work/$name" -- sh -c 'while sleep 0.2; do echo "$ARBITER_NAME $ARBITER_EPOCH" >>"$0"; done' "$work/work.txt"
  done
}
