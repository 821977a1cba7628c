#!/bin/sh
# Puts Sidetone on a Debian box, renews it, takes it off again. Run it out of the source tree, as root.
#
#   hardware/install.sh install   [--capture PORT] [--node PATH] [--root DIR]
#   hardware/install.sh upgrade   [--capture PORT] [--node PATH] [--root DIR]
#   hardware/install.sh uninstall [--root DIR]
#
# --capture PORT  the network port at the switch's mirror port: it is called capture0 from the next start of the box on
# --node PATH     Node 20.15 or newer; default the one on the PATH
# --root DIR      into a folder that is to become a box's root; starts nothing and installs no Debian packages there
#
# The new program checks the box's configuration and is put beside the old one before anything is changed; what fails after that
# is undone. The configuration of the box, its recordings (/var/lib/sidetone) and the two users stay in every case.
# Exit codes: 0 done, 1 a step failed and was undone, 2 bad usage or configuration: nothing was changed.
set -eu
umask 022

app=/usr/lib/sidetone
data=/var/lib/sidetone
config=/etc/sidetone/sidetone.yaml
link=/etc/systemd/network/10-sidetone-capture.link
units='sidetone.service sidetone-engine.service sidetone-engine.socket sidetone-port@.service'
commands='sidetoned sidetone'

say() { echo "install: $*" >&2; }
fail() {
  say "$1"
  exit "${2:-1}"
}
usage() { fail "usage: install.sh install|upgrade [--capture PORT] [--node PATH] [--root DIR], or uninstall [--root DIR]" 2; }

source=$(dirname "$(dirname "$(readlink -f "$0")")")
[ $# -gt 0 ] || usage
task=$1
shift
root='' capture='' node=''
while [ $# -gt 0 ]; do
  [ $# -ge 2 ] || usage
  case $1 in
    --root) root=$2 ;;
    --capture) capture=$2 ;;
    --node) node=$2 ;;
    *) usage ;;
  esac
  shift 2
done
case $task in
  install | upgrade) ;;
  uninstall) [ -z "$capture$node" ] || usage ;;
  *) usage ;;
esac
[ "$(id -u)" = 0 ] || fail "only root may do that" 2
if [ -n "$root" ]; then
  [ -d "$root" ] || fail "there is no folder $root" 2
  root=$(readlink -f "$root")
  [ "$root" != / ] || root=''
fi

# A box whose systemd runs, and not a folder or a container without one.
is_live() { [ -z "$root" ] && [ -d /run/systemd/system ]; }
id_of() { awk -F: -v name="$2" '$1 == name { print $3 }' "$root/etc/$1"; }

# What lies outside of the program's folder, from the folder $1/hardware of the program.
place_files() {
  for unit in $units; do put "$1/hardware/systemd/$unit" "/etc/systemd/system/$unit"; done
  put "$1/hardware/systemd/sysusers.conf" /etc/sysusers.d/sidetone.conf
  put "$1/hardware/systemd/tmpfiles.conf" /etc/tmpfiles.d/sidetone.conf
  put "$1/hardware/udev/70-sidetone.rules" /etc/udev/rules.d/70-sidetone.rules
  put "$1/hardware/network/10-sidetone-capture.network" /etc/systemd/network/10-sidetone-capture.network
  [ ! -d "$root/etc/NetworkManager" ] || put "$1/hardware/network/networkmanager.conf" /etc/NetworkManager/conf.d/sidetone.conf
  put_command sidetoned "$app/dist/device/main.js"
  put_command sidetone "$app/dist/host/main.js"
}

# Whole or not at all. Units name the Node that is used.
put() {
  mkdir -p "$(dirname "$root$2")"
  sed "s|/usr/bin/node|$node|g" "$1" >"$root$2.new"
  chmod 644 "$root$2.new"
  mv "$root$2.new" "$root$2"
}

put_command() {
  mkdir -p "$root/usr/local/bin"
  printf '#!/bin/sh\nexec %s %s "$@"\n' "$node" "$2" >"$root/usr/local/bin/$1.new"
  chmod 755 "$root/usr/local/bin/$1.new"
  mv "$root/usr/local/bin/$1.new" "$root/usr/local/bin/$1"
}

remove_files() {
  for unit in $units; do rm -f "$root/etc/systemd/system/$unit"; done
  rm -f "$root/etc/systemd/system/multi-user.target.wants/sidetone.service" \
    "$root/etc/systemd/system/sockets.target.wants/sidetone-engine.socket" \
    "$root/etc/sysusers.d/sidetone.conf" "$root/etc/tmpfiles.d/sidetone.conf" "$root/etc/udev/rules.d/70-sidetone.rules" \
    "$root/etc/systemd/network/10-sidetone-capture.network" "$root/etc/NetworkManager/conf.d/sidetone.conf"
  for command in $commands; do rm -f "$root/usr/local/bin/$command"; done
}

reload() {
  is_live || return 0
  systemctl daemon-reload
  udevadm control --reload 2>/dev/null || true
}

choose_node() {
  [ -n "$node" ] || node=$(command -v node) || fail "there is no node on the PATH: install Node 20.15 or newer, or give --node PATH" 2
  [ -x "$node" ] || fail "$node is no program" 2
  case $(readlink -f "$node") in
    /home/* | /root/*) fail "$node lies in a home folder, which the units do not see: install Node for the whole box" 2 ;;
  esac
  "$node" -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 15) ? 0 : 1)' ||
    fail "$node is $("$node" --version): Sidetone needs 20.15 or newer" 2
}

# Commands that the units run; libpcap comes with what the build needs.
provide_packages() {
  [ -z "$root" ] || return 0
  missing=''
  command -v nft >/dev/null || missing="$missing nftables"
  command -v ethtool >/dev/null || missing="$missing ethtool"
  command -v ip >/dev/null || missing="$missing iproute2"
  [ -n "$missing" ] || return 0
  say "installing$missing with apt"
  # shellcheck disable=SC2086 # one word each
  DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=120 install -y --no-install-recommends $missing >/dev/null ||
    fail "apt cannot install$missing" 2
}

build() {
  (cd "$source" && "$node" device/setup.mjs build) || fail "the build failed: nothing was changed" 2
}

# The program beside the one that is there: with what it needs to run and nothing else.
stage() {
  new=$root$app.new
  rm -rf "$new"
  mkdir -p "$new/dist"
  cp -r "$source/dist/device" "$source/dist/host" "$new/dist/"
  cp -r "$source/package.json" "$source/README.md" "$source/hardware" "$new/"
  needed=$(cd "$source" && "$node" -e '
    const { existsSync, readFileSync } = require("node:fs");
    for (const [path, { dev, devOptional }] of Object.entries(JSON.parse(readFileSync("package-lock.json", "utf8")).packages))
      if (path !== "" && !dev && !devOptional && existsSync(path)) console.log(path);')
  # shellcheck disable=SC2086 # one path each
  (cd "$source" && cp -r --parents $needed "$new/")
  # What compiling them has left behind.
  rm -rf "$new"/node_modules/*/build/Release/obj* "$new"/node_modules/*/build/Release/.deps "$new/node_modules/better-sqlite3/deps"
  chown -R 0:0 "$new"
  chmod -R u=rwX,go=rX "$new"
  chmod 755 "$new/hardware/install.sh" "$new/hardware/capture-port.sh"
  "$node" "$new/dist/device/main.js" --version >/dev/null || fail "the new program does not start: nothing was changed" 2
}

check_configuration() {
  [ -e "$root$config" ] || return 0
  "$node" "$source/dist/device/main.js" config check --config "$root$config" >/dev/null ||
    fail "the new program refuses this box's configuration: nothing was changed" 2
}

# udev finds the port by its burnt-in address, whatever it was called.
read_capture_address() {
  address=''
  [ -n "$capture" ] || return 0
  if [ -e "/sys/class/net/$capture/address" ]; then
    address=$(ethtool -P "$capture" 2>/dev/null | sed -n 's/^Permanent address: //p')
    case $address in '' | 00:00:00:00:00:00 | not*) address=$(cat "/sys/class/net/$capture/address") ;; esac
  fi
  case $address in
    00:00:00:00:00:00) fail "$capture has no address of its own: name a network card's port" 2 ;;
    *:*:*:*:*:*) ;;
    *) fail "there is no network port $capture" 2 ;;
  esac
}

name_capture_port() {
  [ -n "$address" ] || return 0
  mkdir -p "$root/etc/systemd/network"
  sed "s/@MAC@/$address/" "$root$app/hardware/network/10-sidetone-capture.link" >"$root$link"
  say "$capture is called capture0 from the next start of the box on"
}

# An older Sidetone may have run as another user: its files become the service's. What an engine journals stays its own.
adopt_data() {
  [ -d "$root$data" ] || return 0
  uid=$(id_of passwd sidetone)
  engine=$(id_of passwd sidetone-engine)
  find "$root$data" -xdev ! -uid "$uid" ! -uid "$engine" -exec chown -h "$uid:$(id_of group sidetone)" {} +
  [ -d "$root$data/registers" ] || return 0
  find "$root$data/registers" -type f -exec chgrp "$(id_of group sidetone-engine)" {} + -exec chmod 640 {} +
}

# As it was before: the older program and its files, running where it ran, or nothing.
undo() {
  trap - EXIT
  set +e
  say "that failed and is undone"
  ! is_live || systemctl stop sidetone.service sidetone-engine.socket 2>/dev/null
  rm -rf "$root$app"
  if [ -d "$root$app.old" ]; then
    mv "$root$app.old" "$root$app"
    place_files "$root$app"
    reload
    ! is_live || [ "$was_running" = no ] || systemctl start sidetone.service
  else
    remove_files
    [ "$had_config" = yes ] || rm -f "$root$config"
    reload
  fi
  exit 1
}

switch() {
  was_running=no had_config=no
  [ ! -e "$root$config" ] || had_config=yes
  if is_live && systemctl is-active -q sidetone.service; then
    was_running=yes
    say "stopping sidetone: calls in progress are closed and stored"
    systemctl stop sidetone.service
  fi
  trap undo EXIT
  rm -rf "$root$app.old"
  [ ! -d "$root$app" ] || mv "$root$app" "$root$app.old"
  mv "$root$app.new" "$root$app"
  place_files "$root$app"
  systemd-sysusers ${root:+--root="$root"} sidetone.conf
  mkdir -p "$root/etc/sidetone"
  [ "$had_config" = yes ] || cp "$root$app/hardware/etc/sidetone.yaml" "$root$config"
  adopt_data
  systemd-tmpfiles ${root:+--root="$root"} --create sidetone.conf
  name_capture_port
  systemctl ${root:+--root="$root"} -q enable sidetone.service sidetone-engine.socket 2>/dev/null
  reload
  if is_live && { [ "$was_running" = yes ] || [ -e /sys/class/net/capture0 ]; }; then
    systemctl start sidetone-engine.socket
    systemctl start sidetone.service || fail "sidetone does not start: journalctl -u sidetone says why"
  fi
  trap - EXIT
  rm -rf "$root$app.old"
}

install() {
  [ "$task" = install ] || [ -d "$root$app" ] || fail "nothing is installed that could be upgraded: install it" 2
  choose_node
  read_capture_address
  provide_packages
  build
  check_configuration
  stage
  switch
  say "$("$node" -p "require('$root$app/package.json').version") is installed"
  [ -e "$root$link" ] || say "no capture port is named: install.sh upgrade --capture PORT"
  say "configuration: $config; then: systemctl start sidetone; sidetoned doctor"
}

uninstall() {
  if [ ! -e "$root$app" ] && [ ! -e "$root/etc/systemd/system/sidetone.service" ]; then
    say "nothing is installed"
    return 0
  fi
  if is_live; then
    systemctl -q disable --now sidetone.service sidetone-engine.socket 2>/dev/null || true
    systemctl stop 'sidetone-port@*.service' 2>/dev/null || true
  fi
  remove_files
  rm -f "$root$link"
  rm -rf "$root$app" "$root$app.new" "$root$app.old"
  reload
  ! is_live || systemctl reset-failed 'sidetone*' 2>/dev/null || true
  say "the program is gone; recordings ($data), configuration (/etc/sidetone) and the users sidetone and sidetone-engine stay"
}

case $task in
  uninstall) uninstall ;;
  *) install ;;
esac
