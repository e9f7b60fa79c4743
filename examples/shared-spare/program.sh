# Becomes the program of the service that is to run here. `exec`: so signals reach the program itself.
case $ARBITER_SERVICE in
  cache) exec redis-server --port 6390 --save "" --appendonly no ;;
  pages) exec python3 -m http.server --bind 127.0.0.1 8390 ;;
  *) echo "there is no program for the service $ARBITER_SERVICE" >&2; exit 64 ;;
esac
