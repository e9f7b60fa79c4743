/**
 * The shim: what stands where the program will be. A small shell, already in the process group of
 * its own that the program gets, waits on a pipe; told to go, it *becomes* the program (`exec`),
 * with the same process id.
 *
 * Why not start the program directly: its group's number is known only once it runs, so a launcher
 * that is killed between the two would leave a program that nobody guards. So the shim is started
 * long before, while the daemon waits; its group is written to the record, the guard says that it
 * watches over it; only then, and with the lease's end in the guard's hands, the shim is told to go.
 * There is no instant at which a program runs unguarded, and an activation costs one write and one
 * `exec` instead of three new processes. A launcher that is killed before closes the pipe: the shim
 * ends. One that was frozen right before the word "go" finds a shim that the guard has killed.
 *
 * The five lines: service, epoch, the settings' file, the arbiters' URLs, the working directory. The answer: nothing
 * and the pipe's end: the program runs (the shell keeps its own copy of descriptor 3 closed on
 * exec); `failed CODE`: it doesn't. Kept to POSIX: a shell without `execfail` ends itself and says
 * it in its trap.
 */
export const SHIM_SCRIPT: string = `
IFS= read -r ARBITER_SERVICE <&3 && IFS= read -r ARBITER_EPOCH <&3 &&
IFS= read -r ARBITER_CONFIG <&3 && IFS= read -r arbiters <&3 && IFS= read -r directory <&3 || exit 125
export ARBITER_SERVICE ARBITER_EPOCH ARBITER_CONFIG
[ -z "$arbiters" ] || export ARBITER_URL="$arbiters"
unset ARBITER_SHIM
trap 'code=$?; { echo "failed $code" >&3; } 2>/dev/null' EXIT
cd -- "$directory" || exit 125
unset OLDPWD arbiters directory
shopt -s execfail 2>/dev/null
{ exec "$@"; } 3>&-
code=$?
trap - EXIT
echo "failed $code" >&3
exit "$code"
`;

/** Exit codes of a shell that couldn't become the program (POSIX; 125 is our own: no directory). */
export const SHIM_FAILURES: Readonly<Record<string, string>> = {
  "125": "its working directory (`cwd`) can't be entered",
  "126": "it was found, but it isn't an executable file, or this user may not run it",
  "127": "no such program in PATH, or the interpreter in its first line is missing",
};
