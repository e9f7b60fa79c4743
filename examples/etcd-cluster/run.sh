#!/bin/sh
# Three members of etcd, three arbiters, one service. A machine with a member and the leader is lost;
# then the majority of etcd, which stops every decision and no service; then it comes back.
# Needs etcd (Debian: etcd-server) and Linux, where all of 127.0.0.0/8 is this machine.
here=$(cd "$(dirname "$0")" && pwd)
command -v etcd >/dev/null || {
  echo "This needs etcd: apt-get install etcd-server"
  exit 1
}
. "$here/../lib.sh"

members="1=http://$NET.11:2380,2=http://$NET.12:2380,3=http://$NET.13:2380"
etcd_member() {
  start "etcd-$1" etcd --name "$1" --data-dir "$work/etcd-$1" --logger zap --log-level error \
    --listen-client-urls "http://$NET.1$1:2379" --advertise-client-urls "http://$NET.1$1:2379" \
    --listen-peer-urls "http://$NET.1$1:2380" --initial-advertise-peer-urls "http://$NET.1$1:2380" \
    --initial-cluster "$members" --initial-cluster-token "example" --auto-compaction-retention 1
}
store_answers() { ! arbiter status --config "$work/2/etc" | grep -q "^problem store-down"; }
store_is_down() { ! store_answers; }
# The number of the arbiter that leads.
leader() { arbiter leader --config "$work/2/etc" | sed -n 's/^arbiter-\([0-9]\).*/\1/p'; }
has_leader() { [ -n "$(leader)" ]; }

for number in 1 2 3; do
  machine "$number"
  etcd_member "$number"
done
for number in 1 2 3; do
  start "arbiter-$number" node "$bin" start --config "$work/$number/etc" --name "arbiter-$number"
done
web_daemons 1
until_true 60 held_by 2 web-1

say "Three arbiters on three members of etcd. web-1 has the service."
arbiter status --config "$work/2/etc"

lost=$(leader)
say "Machine $lost is lost, with the leading arbiter and a member of etcd: another arbiter leads, web-1 notices nothing."
lose "etcd-$lost"
lose "arbiter-$lost"
another_leads() { has_leader && [ "$(leader)" != "$lost" ]; }
until_true 60 another_leads
until_true 60 held_by "$(leader)" web-1
holder "$(leader)"

other=1
[ "$other" = "$lost" ] && other=2
say "A second member of etcd is lost: no majority, so nothing is decided. The service goes on."
lose "etcd-$other"
until_true 60 store_is_down
before=$(wc -l <"$work/work.txt")
sleep 3
after=$(wc -l <"$work/work.txt")
echo "web-1 did $((after - before)) pieces of work in 3 s meanwhile"
[ "$after" -gt "$before" ]

say "It comes back, and everything goes on by itself."
etcd_member "$other"
until_true 60 store_answers
until_true 60 held_by "$(leader)" web-1
holder "$(leader)"

say "Now web-1's machine is lost: web-2 takes over."
lose web-1
until_true 60 held_by "$(leader)" web-2
holder "$(leader)"

say "Who did the work, and how often, by epoch:"
sort "$work/work.txt" | uniq -c
