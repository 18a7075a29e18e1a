#!/bin/bash
# Build the image from the Dockerfile and use it, on a machine without a Docker daemon:
#
#     sudo tools/container.sh
#
# Needs root, Debian's buildah, mmdebstrap and iproute2, python3, and the network (packages of Debian
# and of Python). Takes about three minutes; it is not part of `make test`. Prints one line for every
# check, exits 1 if any failed, and removes what it made: images, name spaces and files.
#
# What is real: the Dockerfile, .dockerignore, the locks with their hashes, and each container's own
# network, processes, mounts, uid, capabilities and read-only root, with the command as process 1.
# What stands in:
# - The base image is put together from Debian packages (python3 of SUITE, by default the release that
#   has the Python of the FROM line) and named like it.
# - Containers are started by this script with util-linux, not by a container engine. Their config
#   (command, user, environment, folder, health check) is read from the image.
# - Names between containers come from /etc/hosts, where an engine answers DNS.
# The machine's trust store is mounted for the RUN steps only, for networks that need it.
set -euo pipefail
cd "$(dirname "$0")/.."

SUITE=${SUITE:-trixie}
PORT=50051
TAG=grpc-chat

[ "$(id -u)" = 0 ] || { echo "tools/container.sh needs root: sudo $0" >&2; exit 1; }
for program in buildah mmdebstrap ip unshare nsenter setpriv python3; do
  command -v "$program" >/dev/null || {
    echo "tools/container.sh needs $program: apt-get install buildah mmdebstrap iproute2 util-linux python3" >&2
    exit 1
  }
done

work=$(mktemp -d /tmp/container-check.XXXXXX)
chmod 755 "$work"
prefix=gc$$            # of the network name spaces
declare -A root=()     # container -> the folder that is its root
declare -A pid=()      # container -> its process 1, seen from here
declare -A runner=()   # container -> our child that waits for it
failures=0

# A store of its own: no other image or container of this machine is seen or touched.
b() { buildah --root "$work/store" --runroot "$work/run" --storage-driver vfs "$@"; }

cleanup() {
  status=$?
  set +e
  # Process 1 dies with its runner (unshare --kill-child).
  for name in "${!runner[@]}"; do kill -KILL "${runner[$name]}"; wait "${runner[$name]}"; done 2>/dev/null
  ip netns list | awk -v p="$prefix-" 'index($1, p) == 1 { print $1 }' | xargs -r -n1 ip netns delete
  b rm --all >/dev/null 2>&1
  b rmi --all --force >/dev/null 2>&1
  rm -rf "$work"
  exit $status
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

say() { printf '\n%s\n' "$*"; }

# check WHAT COMMAND…: the command's success is the check's.
check() {
  local what=$1
  shift
  if "$@"; then
    echo "  ok    $what"
  else
    echo "  FAIL  $what"
    failures=$((failures + 1))
  fi
}

# show FILE…: what a container printed, when it matters.
show() { sed 's/^/        | /' "$@"; }

# ------------------------------------------------------------------------------------- the image

say "Base image: Debian $SUITE as a stand-in"
base=$(sed -n 's/^FROM \([^ ]*\).*/\1/p' Dockerfile | sort -u)
[ "$(wc -l <<<"$base")" = 1 ] || { echo "the Dockerfile has more than one base image: $base" >&2; exit 1; }
# The mirror this machine itself uses, or else the default of mmdebstrap.
# shellcheck disable=SC2016  # apt's variable, not the shell's
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Identifier: Packages' 'Origin: Debian' 'Label: Debian' 2>/dev/null | head -n 1)
mmdebstrap --quiet --mode=root --variant=minbase --include=python3,python3-venv,ca-certificates \
  "$SUITE" "$work/base.tar" ${mirror:+"$mirror"}
from=$(b from scratch)
b add -q "$from" "$work/base.tar" / >/dev/null
b config --workingdir / --cmd python3 \
  --env PATH=/usr/local/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$from"
b commit -q --rm --format docker "$from" "$base" >/dev/null
rm "$work/base.tar"
echo "  $base"

say "Build: docker build -t $TAG ."
trust=()
[ ! -d /etc/ssl/certs ] || trust=(-v /etc/ssl/certs:/etc/ssl/certs:ro)
if ! b bud --isolation chroot --format docker --pull-never "${trust[@]}" \
  --build-arg VERSION=check -t "$TAG" . >"$work/build.log" 2>&1; then
  show "$work/build.log"
  echo "  FAIL  the image builds"
  exit 1
fi
echo "  ok    the image builds"

# The image's config as bash: cmd, health, environ (arrays), user, folder, stopsignal.
b inspect --type image "$TAG" | python3 -c '
import json, shlex, sys
config = json.load(sys.stdin)["Docker"]["config"]
words = lambda values: "(" + " ".join(map(shlex.quote, values)) + ")"
print("cmd=" + words(config["Cmd"]))
print("health=" + words(config["Healthcheck"]["Test"][1:]))
print("environ=" + words(config["Env"]))
print("user=" + shlex.quote(config["User"]))
print("folder=" + shlex.quote(config["WorkingDir"]))
print("stopsignal=" + shlex.quote(config["StopSignal"].removeprefix("SIG")))
print("volumes=" + words(config["Volumes"]))
' >"$work/config"
declare -a cmd health environ volumes
user='' folder='' stopsignal=''
# shellcheck source=/dev/null
source "$work/config"
check "its user is a number and not root: $user" grep -qE '^[1-9][0-9]*:[1-9][0-9]*$' <<<"$user"
check "its volume is /data" test "${volumes[*]}" = /data

# ------------------------------------------------------------------------------------ containers

# create NAME: a container with a network of its own, as `docker create`.
create() {
  local id
  id=$(b from --pull-never --name "$prefix-$1" "$TAG")
  root[$1]=$(b mount "$id")
  printf '127.0.0.1 localhost\n192.0.2.1 chat\n192.0.2.2 visitor\n' >"$work/hosts"
  ip netns add "$prefix-$1"
  ip -n "$prefix-$1" link set lo up
}

# volume NAME: an empty volume, which an engine gives the owner and mode of the folder in the image.
volume() {
  mkdir "$work/$1"
  chmod --reference="${root[$2]}/data" "$work/$1"
  chown --reference="${root[$2]}/data" "$work/$1"
}

# Process 1 of the new name spaces: mounts what an engine mounts, then becomes the command.
enter() {
  local top=$1 data=$2 hosts=$3 hard=$4 uid=$5 gid=$6 folder=$7 device limits=()
  shift 7
  mount --bind "$top" "$top"
  mount -t proc -o nosuid,nodev,noexec proc "$top/proc"
  mount -t tmpfs -o mode=755,nosuid dev "$top/dev"
  for device in null zero full random urandom; do
    touch "$top/dev/$device"
    mount --bind "/dev/$device" "$top/dev/$device"
  done
  ln -s /proc/self/fd "$top/dev/fd"
  mkdir -m 1777 "$top/dev/shm"
  mount --bind "$hosts" "$top/etc/hosts"
  mount --bind "$data" "$top/data"
  if [ "$hard" = 1 ]; then
    mount -t tmpfs -o mode=1777,nosuid,nodev,noexec tmp "$top/tmp"
    mount -o remount,bind,ro "$top"
    limits=(--no-new-privs --bounding-set=-all)
  fi
  cd "$top"
  exec chroot "$top" setpriv --reuid "$uid" --regid "$gid" --clear-groups --inh-caps=-all "${limits[@]}" \
    env -C "$folder" "$@"
}

# start NAME VOLUME UID:GID HARD COMMAND…: `docker run`; HARD=1 adds --read-only --tmpfs /tmp
# --cap-drop ALL --security-opt no-new-privileges. What it prints goes to NAME.out and NAME.err.
start() {
  local name=$1 data=$2 as=$3 hard=$4 script
  shift 4
  script="$(declare -f enter); enter \"\$@\""
  nsenter --net="/run/netns/$prefix-$name" \
    unshare --mount --pid --ipc --uts --fork --kill-child --propagation private \
    bash -euc "$script" enter \
    "${root[$name]}" "$work/$data" "$work/hosts" "$hard" "${as%:*}" "${as#*:}" "$folder" \
    env -i "${environ[@]}" "$@" </dev/null >"$work/$name.out" 2>"$work/$name.err" &
  runner[$name]=$!
  pid[$name]=
  while [ -z "${pid[$name]}" ] && kill -0 "${runner[$name]}" 2>/dev/null; do
    pid[$name]=$(cat "/proc/${runner[$name]}/task/${runner[$name]}/children" 2>/dev/null || true)
    pid[$name]=${pid[$name]// /}
  done
}

# finish NAME SECONDS: wait for it to end, and put its exit status into $code.
finish() {
  local name=$1 deadline=$((SECONDS + $2))
  while kill -0 "${runner[$name]}" 2>/dev/null && [ $SECONDS -lt $deadline ]; do sleep 0.1; done
  if kill -0 "${runner[$name]}" 2>/dev/null; then
    kill -KILL "${runner[$name]}"
  fi
  code=0
  wait "${runner[$name]}" 2>/dev/null || code=$?
  unset "runner[$name]"
}

# inside NAME UID:GID COMMAND…: `docker exec`.
inside() {
  local name=$1 as=$2
  shift 2
  nsenter --target "${pid[$name]}" --mount --pid --ipc --uts --net --root \
    setpriv --reuid "${as%:*}" --regid "${as#*:}" --clear-groups --inh-caps=-all \
    env -C "$folder" -i "${environ[@]}" "$@" </dev/null
}

# fails NAME UID:GID COMMAND…: the command runs inside, and does not succeed.
fails() { inside "$1" "$2" sh -c '! "$@" >/dev/null 2>&1' sh "${@:3}"; }

# healthy NAME UID:GID: the health check of the image succeeds within 30 seconds.
healthy() {
  local deadline=$((SECONDS + 30))
  until inside "$1" "$2" "${health[@]}" >"$work/health.out" 2>&1; do
    if [ $SECONDS -ge $deadline ] || ! kill -0 "${runner[$1]}" 2>/dev/null; then
      show "$work/health.out" "$work/$1.err"
      return 1
    fi
    sleep 0.2
  done
}

# private VOLUME UID: nobody else may look into what the server wrote.
private() {
  local others
  others=$(cd "$work/$1" && find . -mindepth 1 \( -perm /077 -o ! -uid "$2" \) -printf '%M %u %P\n')
  if [ -z "$(ls -A "$work/$1")" ] || [ -n "$others" ]; then
    echo "        | nothing, or not private: $others"
    return 1
  fi
}

# printed NAME TEXT: TEXT, and nothing else, was its standard output.
printed() {
  [ "$(cat "$work/$1.out")" = "$2" ] || { show "$work/$1.out"; return 1; }
}

# stop NAME: `docker stop`.
stop() {
  kill -"$stopsignal" "${pid[$1]}" 2>/dev/null || true
  finish "$1" 10
  check "the server exits 0 within 10 s of SIG$stopsignal" test $code = 0
  [ $code = 0 ] || show "$work/$1.err"
}

server=(python3 server.py -client_ids "1,2,3" -port "$PORT")
client=(python3 client.py -server_ip chat -port "$PORT")

# ---------------------------------------------------------------------------------------- checks

say "The scenario: docker run --rm $TAG"
create scenario
volume scenario.data scenario
start scenario scenario.data "$user" 0 "${cmd[@]}"
finish scenario 120
show "$work/scenario.out"
check "${cmd[*]} exits 0" test $code = 0
[ $code = 0 ] || show "$work/scenario.err"
check "it left nothing in the volume" test -z "$(ls -A "$work/scenario.data")"

say "The scenario, hardened: --user 12345:12345 --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges"
start scenario scenario.data 12345:12345 1 "${cmd[@]}"
finish scenario 120
check "${cmd[*]} exits 0" test $code = 0
[ $code = 0 ] || show "$work/scenario.out" "$work/scenario.err"

say "A server and a client in two containers, on two addresses"
create chat
create visitor
volume chat.data chat
volume visitor.data visitor
ip -n "$prefix-chat" link add eth0 type veth peer name eth0 netns "$prefix-visitor"
ip -n "$prefix-chat" address add 192.0.2.1/24 dev eth0
ip -n "$prefix-chat" link set eth0 up
ip -n "$prefix-visitor" address add 192.0.2.2/24 dev eth0
ip -n "$prefix-visitor" link set eth0 up

# visit ID SECONDS OPTION…: a client in the other container; prints to visitor.out.
visit() {
  start visitor visitor.data "$user" 0 "${client[@]}" -client_id "$1" -timeout "$2" "${@:3}"
  finish visitor $(($2 + 15))
  [ $code = 0 ] || show "$work/visitor.err"
}

start chat chat.data "$user" 0 "${server[@]}"
check "its health check becomes good: ${health[*]}" healthy chat "$user"
visit 1 3 -message "Hello from a container!"
check "client 1 sends and exits 0" test $code = 0
visit 2 3
check "client 2 gets it" printed visitor "1: Hello from a container!"
visit 2 3
check "client 2 comes back and does not get it again" printed visitor ""
visit 4 3
check "client 4 is not authorised: exit 1" test $code = 1
check "client 4 gets nothing" printed visitor ""
check "the data is private to the server's user" private chat.data "${user%:*}"

say "Stop: docker stop"
stop chat

say "A new container over the old volume, hardened as in compose.yaml"
create chat2
root[chat]=${root[chat2]}  # the old container's network and name, a fresh file system
start chat chat.data "$user" 1 "${server[@]}"
check "its health check becomes good" healthy chat "$user"
check "its root cannot be written" fails chat "$user" touch /var/tmp/x
check "it has no capability" fails chat "$user" grep -E '^Cap(Prm|Eff|Bnd|Amb).*[1-9a-f]' /proc/1/status
check "it can gain none" inside chat "$user" grep -q "^NoNewPrivs:.1" /proc/1/status
start chat2 chat.data "$user" 1 "${server[@]}"
finish chat2 30
check "a second server over the same volume is refused: exit 1" test $code = 1
show "$work/chat2.err"
visit 3 3
check "client 3 gets what was sent before" printed visitor "1: Hello from a container!"
stop chat

# serve WHAT VOLUME UID:GID: a hardened server over this volume starts and stops well.
serve() {
  say "$1"
  start chat2 "$2" "$3" 1 "${server[@]}"
  check "its health check becomes good" healthy chat2 "$3"
  check "the data is private to $3" private "$2" "${3%:*}"
  stop chat2
}

for as in 12345:12345 54321:0; do
  volume "volume-$as" chat2
  serve "Any user: --user $as, read-only root, new volume" "volume-$as" "$as"
done

install -d -o 0 -g 10001 -m 2775 "$work/cluster"
serve "A volume as Kubernetes gives it, with fsGroup 10001" cluster "$user"

say "A container without a server"
start chat2 scenario.data "$user" 0 sleep 60
for _ in {1..50}; do inside chat2 "$user" true 2>/dev/null && break; sleep 0.1; done
check "its health check fails" fails chat2 "$user" "${health[@]}"
finish chat2 0

echo
if [ $failures -gt 0 ]; then
  echo "$failures failed."
  exit 1
fi
echo "All held."
