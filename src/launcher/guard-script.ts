/**
 * The guard: a shell of 3 MB that kills a process group when the lease is over, whatever has
 * become of the launcher (I1).
 *
 * It is not a Node process, and it does nothing but wait on a pipe. The launcher writes a line that states
 * everything whenever a group comes or goes: `GROUP START END CGROUP`: the process group to watch over
 * (0: none), the start time of its first process, the instant at which what still runs must be killed
 * (`-`: no lease yet), and the control group's folder, if there is one. A renewal is `=END`, the new
 * instant alone: a shell reads a pipe byte by byte, and renewals are nearly all that it reads. Each line is answered.
 * Most renewals are no line at all, since a line wakes it: they lie in the file that is its descriptor 4, as
 * `LINES END LINES END`, and it reads that before it kills. An end counts if it was written after the last line that it
 * has read, if it is later than what it knows, and if both halves say the same. Whatever is wrong with the file, it kills.
 * It kills when the instant has come, which covers a launcher that is stopped, starved or in an endless
 * loop, and when the pipe closes, which covers one that was killed. It ends only after the group is empty: it
 * has inherited the lock on the state folder, so that no new launcher begins before.
 *
 * Instants are hundredths of a second of /proc/uptime, which goes on while the machine sleeps. Bash
 * reads that file without starting a process, so waiting costs nothing. `read -t` doesn't count
 * sleep: so where the kernel can put the machine to sleep (`/sys/power/state` names a way, or isn't there
 * to be asked), it never waits longer than `NAP_CS` before it looks at the clock again. One hundredth is
 * taken off for the clock's grain: it may kill 20 ms early, never late.
 *
 * A guard that was kept waiting for the processor first reads what came meanwhile: the lease may have
 * been renewed long ago. A launcher that is stopped writes nothing, so that costs no time.
 *
 * Where the program has a control group, that is killed too, and all is over only when nothing runs in
 * either. After the launcher's end the guard removes it, and lets go of the watchdog device
 * (`ARBITER_WATCHDOG`): with nothing left running there is nothing to restart the machine for.
 *
 * It must be bash: `read -t` and reading without a new process are not in POSIX.
 */
import { NOTED, WATCHING } from "./guard-answers.ts";

/** Hundredths of a second. After the machine has slept, a program whose lease is over meanwhile runs so long at most. */
const NAP_CS = 20;

/** One of its words in the process list, by which it is known. */
export const GUARD_NAME = "arbiter-guard";

export const GUARD_SCRIPT: string = `
trap '' HUP INT QUIT TERM USR1 USR2 PIPE TSTP
echo -500 2>/dev/null >/proc/self/oom_score_adj
exec 8<> <(:)
group=0 start=0 end=- cgroup= lines=0
sleeps=unknown
if [[ -r /sys/power/state ]]; then
  sleeps=
  { read -r sleeps </sys/power/state; } 2>/dev/null
fi

populated() {
  local line
  [[ -n $cgroup ]] || return 1
  while read -r line; do
    if [[ $line == "populated 1" ]]; then return 0; fi
  done 2>/dev/null <"$cgroup/cgroup.events"
  return 1
}

running() {
  local file line rest
  populated && return 0
  ((group > 1)) || return 1
  kill -0 -- "-$group" 2>/dev/null || [[ -e /proc/$group ]] || return 1
  for file in /proc/[0-9]*/stat; do
    { IFS= read -r -d '' line <"$file"; } 2>/dev/null
    rest=\${line##*) }
    set -- $rest
    # A first thread that has ended stands there as a zombie while other threads go on (field 20).
    if [[ $3 == "$group" ]] && { [[ $1 != [ZX] ]] || ((\${18:-1} > 1)); }; then return 0; fi
  done
  return 1
}

renewed() {
  local after until again twice try
  for try in 1 2 3; do
    after=
    { read -r after until again twice </proc/self/fd/4; } 2>/dev/null
    [[ $after == "$lines" ]] || return 1
    if [[ "$after $until" == "$again $twice" && $until == +([0-9]) ]]; then
      ((until > end)) || return 1
      end=$until
      return 0
    fi
  done
  return 1
}

hit() {
  ((group > 1)) && kill -KILL -- "-$group" 2>/dev/null
  if [[ -n $cgroup ]]; then { echo 1 >"$cgroup/cgroup.kill"; } 2>/dev/null; fi
}

strike() {
  local line rest=
  ((group > 1)) || return
  if { IFS= read -r -d '' line </proc/$group/stat; [[ -n $line ]]; } 2>/dev/null; then
    rest=\${line##*) }
    set -- $rest
    # The number is another's by now. What is in the control group is still the program's.
    if [[ \${20} != "$start" ]]; then group=1; fi
  fi
  hit
  while running; do
    hit
    read -r -t 0.002 -u 8
  done
  group=0
}

while :; do
  wait=3600
  if ((group > 1)) && [[ $end != - ]]; then
    read -r up _ </proc/uptime
    left=$((end - 10#\${up/./} - 1))
    if ((left <= 0)) && ! read -r -t 0; then
      renewed && continue
      strike
      echo struck
      continue
    fi
    ((left < 1)) && left=1
    [[ -n $sleeps ]] && ((left > ${NAP_CS})) && left=${NAP_CS}
    printf -v wait '%d.%02d' "$((left / 100))" "$((left % 100))"
  fi
  if read -r -t "$wait" to from until below; then
    lines=$((lines + 1))
    if [[ $to == =* ]]; then
      end=\${to:1}
      echo ${NOTED}
    else
      group=\${to:-0} start=\${from:-0} end=\${until:--} cgroup=$below
      echo "${WATCHING}$group"
    fi
  elif (($? <= 128)); then
    last=$end
    strike
    if [[ -n $ARBITER_WATCHDOG && $last != - ]]; then { printf V >>"$ARBITER_WATCHDOG"; } 2>/dev/null; fi
    if [[ -n $cgroup ]]; then exec rmdir -- "$cgroup" 2>/dev/null; fi
    exit 0
  fi
done
`;
