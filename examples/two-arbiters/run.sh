#!/bin/sh
# Two arbiters, one configuration, one service: the leader is killed, an edit reaches the other, the
# holder is killed. Everything runs on this machine, below a temporary folder, and ends with the script.
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../lib.sh"

for name in one two; do
  machine "$name"
  start "$name" node "$bin" start --config "$work/$name/etc" --name "$name"
done
web_daemons one
until_true 30 held_by one web-1
until_true 30 leads one one
until_true 30 leads two one

say "Two arbiters: one leads, two stands by. web-1 has the service."
arbiter status --config "$work/one/etc"

say "The leader is killed: two leads, and web-1 notices nothing (the same epoch)."
lose one
until_true 30 leads two two
holder two

say "One comes back and stands by. The file is edited where the leader is, and reaches it."
start one node "$bin" start --config "$work/one/etc" --name one
until_true 30 leads one two
echo "priority = 5" >>"$work/two/etc/web.cfg"
until_true 30 cmp -s "$work/two/etc/web.cfg" "$work/one/etc/web.cfg"
until_true 30 arbiter config diff --with one --config "$work/two/etc"
arbiter config diff --with one --config "$work/two/etc"
arbiter config history --config "$work/one/etc"

say "web-1's machine is lost: once its lease has ended for sure, web-2 goes on with a higher epoch."
lose web-1
until_true 30 held_by two web-2
holder two

say "Who did the work, and how often, by epoch:"
sort "$work/work.txt" | uniq -c
