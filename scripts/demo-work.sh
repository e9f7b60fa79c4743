#!/bin/sh
# The demonstration's job; any program would do. It counts into a file, a step each tenth of a second,
# and goes on after the last step of whoever had the job before.
steps=$1
last=$(tail -n 1 "$steps" 2>/dev/null | cut -d ' ' -f 2)
step=${last:-0}
echo "pid $$: I go on after step $step, at epoch $ARBITER_EPOCH"
while :; do
  step=$((step + 1))
  echo "step $step by $ARBITER_NAME at epoch $ARBITER_EPOCH" >>"$steps"
  sleep 0.1
done
