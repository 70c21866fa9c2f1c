#!/bin/sh
# A network and mounts of its own, in which endpoints and identity providers have their addresses and names; then the servers, until standard input ends.
# Run by `unshare --net --mount`: network.sh DIRECTORY COMMAND...
set -eu
directory="$1"
shift
# As on most links: what is long takes more than one packet.
ip link set lo mtu 1500 gso_max_size 1500 gso_max_segs 1 up
for address in 169.254.169.254/32 169.254.170.23/32; do
    ip address add "$address" dev lo
done
ip -6 address add fd00:ec2::254/128 dev lo 2>/dev/null || true
mount --make-rprivate /
mount --bind "$directory/hosts" /etc/hosts
mount --bind "$directory/passwd" /etc/passwd
exec "$@"
