#!/bin/sh
# Makes a capture port see everything and say nothing, or lets go of it. Run by sidetone-port@.service; by hand it does the same.
# Nothing but nft is required: what a driver does not have is left as it is.
set -eu

usage() {
  echo "usage: capture-port.sh up|down PORT" >&2
  exit 2
}

here=$(dirname "$(readlink -f "$0")")
[ $# -eq 2 ] || usage
port=$2
case $port in '' | [!A-Za-z]* | *[!A-Za-z0-9_.-]*) usage ;; esac
[ -e "/sys/class/net/$port" ] || {
  echo "capture-port.sh: there is no port $port" >&2
  exit 1
}

up() {
  # Silent first: what the kernel says when a link comes up it would say before anything else.
  sed "s/@PORT@/$port/g" "$here/network/capture-port.nft" | nft -f -
  sysctl -qw "net.ipv6.conf.$port.disable_ipv6=1" 2>/dev/null || true
  ip address flush dev "$port"
  ip link set "$port" arp off multicast off promisc on up
  command -v ethtool >/dev/null || return 0
  # Packets as they were on the wire, and as large a ring as the card has.
  for feature in gro lro rx-gro-hw rxvlan; do ethtool -K "$port" "$feature" off >/dev/null 2>&1 || true; done
  ring=$(ethtool -g "$port" 2>/dev/null | awk '/^RX:/ { print $2; exit }') || ring=
  case $ring in '' | *[!0-9]*) ;; *) ethtool -G "$port" rx "$ring" >/dev/null 2>&1 || true ;; esac
  ethtool -A "$port" autoneg off rx off tx off >/dev/null 2>&1 || true
}

down() {
  ip link set "$port" promisc off || true
  nft delete table netdev "sidetone-$port" 2>/dev/null || true
}

case $1 in
  up) up ;;
  down) down ;;
  *) usage ;;
esac
