# Exit code 0: the program of this service is well. Each question ends by itself.
case $ARBITER_SERVICE in
  cache) test "$(timeout 1 redis-cli -p 6390 ping)" = PONG ;;
  pages) timeout 1 python3 -c 'import urllib.request; urllib.request.urlopen("http://127.0.0.1:8390/")' ;;
esac
