/**
 * The guard: a shell of 3 MB that kills a process group when the lease is over, whatever has
 * become of the launcher (I1).
 *
 * It is not a Node process, and it does nothing but wait on a pipe. The launcher writes one line
 * whenever something changes, and each line states everything: `GROUP START END`: the process group
 * to watch over (0: none), the start time of its first process, and the instant at which what still
 * runs must be killed (`-`: no lease yet). It kills when that instant has come, which covers a launcher
 * that is stopped, starved or in an endless loop, and when the pipe closes, which covers one that
 * was killed. It ends only after the group is empty: it has inherited the lock on the state folder,
 * so that no new launcher begins before.
 *
 * Instants are hundredths of a second of /proc/uptime, which goes on while the machine sleeps. Bash
 * reads that file without starting a process, so waiting costs nothing. `read -t` doesn't count
 * sleep: so it never waits longer than `NAP_S` before it looks at the clock again. One hundredth is
 * taken off for the clock's grain: it may kill 20 ms early, never late.
 *
 * A guard that was kept waiting for the processor first reads what came meanwhile: the lease may have
 * been renewed long ago. A launcher that is stopped writes nothing, so that costs no time.
 *
 * It must be bash: `read -t` and reading without a new process are not in POSIX.
 */

/** After the machine has slept, a program whose lease is over meanwhile runs for so long at most. */
const NAP_S = "0.2";

/** One of its words in the process list, by which it is known. */
export const GUARD_NAME = "arbiter-guard";

export const GUARD_SCRIPT: string = `
trap '' HUP INT QUIT TERM USR1 USR2 PIPE TSTP
echo -500 2>/dev/null >/proc/self/oom_score_adj
exec 8<> <(:)
group=0 start=0 end=-

running() {
  local file line rest
  kill -0 -- "-$group" 2>/dev/null || [[ -e /proc/$group ]] || return 1
  for file in /proc/[0-9]*/stat; do
    { IFS= read -r -d '' line <"$file"; } 2>/dev/null
    rest=\${line##*) }
    set -- $rest
    if [[ $3 == "$group" && $1 != [ZX] ]]; then return 0; fi
  done
  return 1
}

strike() {
  local line rest=
  ((group > 1)) || return
  if { IFS= read -r -d '' line </proc/$group/stat; [[ -n $line ]]; } 2>/dev/null; then
    rest=\${line##*) }
    set -- $rest
    if [[ \${20} != "$start" ]]; then group=0; return; fi
  fi
  kill -KILL -- "-$group" 2>/dev/null
  while running; do
    kill -KILL -- "-$group" 2>/dev/null
    read -r -t 0.002 -u 8
  done
  group=0
}

while :; do
  wait=3600
  if ((group > 1)) && [[ $end != - ]]; then
    wait=${NAP_S}
    read -r up _ </proc/uptime
    left=$((end - 10#\${up/./} - 1))
    if ((left <= 0)) && ! read -r -t 0; then strike; echo struck; continue; fi
    ((left < 1)) && left=1
    ((left < 20)) && printf -v wait '0.%02d' "$left"
  fi
  line=
  if IFS= read -r -t "$wait" line; then
    set -- $line
    group=\${1:-0} start=\${2:-0} end=\${3:--}
    echo "watching $group"
  elif (($? <= 128)); then
    strike
    exit 0
  fi
done
`;
