#!/bin/sh
# Becomes process 1 of an execution environment: makes a root file system that has only /usr of this machine, read-only as on
# Lambda, then runs the command in it as the given user, with an environment of its own and Lambda's 1,024 descriptors.
#
#   unshare --mount --pid --fork sandbox.sh <folder> <user>:<group> [<file here> <path inside>]… -- [<name>=<value>]… <command>…
#
# It is mounted at <folder>/root, for these processes only, and <folder>/tmp is its /tmp.
set -eu
folder=$1
root=$folder/root
user=$2
shift 2

bind() {
  if [ -d "$1" ]; then
    mkdir -p "$2"
  elif [ -e "$1" ]; then
    mkdir -p "${2%/*}"
    [ -e "$2" ] || : >>"$2"
  else
    echo "sandbox: there is no $1"
    exit 1
  fi
  mount --bind "$1" "$2"
}

bind_read_only() {
  bind "$1" "$2"
  mount -o remount,bind,ro "$2"
}

mount -t tmpfs -o mode=755 sandbox "$root"
cd "$root"
mkdir -p dev etc opt proc run tmp var/task var/lang var/runtime
bind_read_only /usr "$root/usr"
for name in bin sbin lib lib32 lib64; do # links into /usr, except on old distributions
  if [ -h "/$name" ]; then cp -P "/$name" "$name"; elif [ -d "/$name" ]; then bind_read_only "/$name" "$root/$name"; fi
done

# It has no entry for Lambda's user, as in many container images.
echo 'root:x:0:0:root:/root:/bin/sh' >etc/passwd
echo '127.0.0.1 localhost' >etc/hosts
for name in alternatives ld.so.cache; do
  if [ -e "/etc/$name" ]; then cp -a "/etc/$name" "etc/$name"; fi
done
for name in null zero full random urandom; do bind "/dev/$name" "$root/dev/$name"; done
ln -s /proc/self/fd dev/fd
mount -t proc proc proc

# Hides a Node.js in /usr, because Lambda has one only in /var/lang of the nodejs runtimes. /dev/null cannot be executed.
for name in /usr/bin/node /usr/local/bin/node; do
  if [ -e "$name" ]; then
    node=$(readlink -f "$name")
    case $node in /usr/*) mount --bind /dev/null "$root$node" ;; esac
  fi
done

while [ "$1" != -- ]; do
  bind_read_only "$1" "$root$2"
  shift 2
done
shift
bind "$folder/tmp" "$root/tmp" # after the others, because some of them may be below /tmp
mount -o remount,ro "$root"

# Not `exec`: when a process changes its user, the kernel no longer kills it with its parent, and all processes here must end
# with number 1. https://man7.org/linux/man-pages/man2/PR_SET_PDEATHSIG.2const.html
ulimit -n 1024
chroot --userspec="$user" --groups= "$root" /usr/bin/env -i --chdir=/var/task "$@"
exit $?
