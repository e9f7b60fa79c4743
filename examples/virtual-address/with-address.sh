# with-address.sh ADDRESS/32 DEVICE -- PROGRAM ARG...
#
# Runs a program while this host has the address. The kernel is told to forget the address after two seconds,
# and what renews it dies with the program: so whatever becomes of launcher, program or this script, the
# address doesn't stay behind. Its neighbours are told at once (gratuitous ARP): else they would go on
# sending to the old host for as long as they remember it.
address=$1 device=$2
shift 3
hold() { ip address replace "$address" dev "$device" valid_lft 2 preferred_lft 2; }
hold || exit 1
while sleep 0.5; do hold; done &
arping -q -U -c 3 -I "$device" "${address%/*}" >/dev/null &
exec "$@"
