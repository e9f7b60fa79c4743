# A program that knows nothing of Arbiter. Only one may run at a time: it says who it is, every second.
# What it finds in its environment says for whom it works, and under which epoch.
trap 'echo "stopping"; exit 0' TERM
echo "$GREETING from $ARBITER_NAME ($ARBITER_ROLE), which holds $ARBITER_SERVICE under epoch $ARBITER_EPOCH, $1"
while :; do
  date +%T
  sleep 1
done
