#!/bin/sh
# Greets in the journal and over HTTP on $PORT.
echo "$GREETING $RECEIVER, from port $PORT"
printf '%s %s\n' "$GREETING" "$RECEIVER" > /run/www/index.html
/bin/busybox httpd -f -v -p "$PORT" -h /run/www &
server=$!
# PID 1 of a container gets no signal that it does not ask for.
trap 'trap "" TERM INT; kill "$server"; echo "Good bye, $RECEIVER"; exit 0' TERM INT
wait "$server"
