#!/bin/bash
# A health check for containers that starts no Node: one HTTP request, by bash alone. Exits with 0 where the answer is 200.
#
#   healthcheck.sh [/healthz | /readyz] [PORT…]
#
# The ports are asked one after another until something answers: admin.status_listen, then admin.listen.

path=${1:-/healthz}
shift
for port in "${@:-9433 9432}"; do ports+=" $port"; done

for port in $ports; do
  { exec 3<>"/dev/tcp/127.0.0.1/$port"; } 2>/dev/null || continue
  printf 'GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' "$path" >&3
  read -r -t 4 _ status _ <&3
  [[ $status == 200 ]]
  exit
done
exit 1
