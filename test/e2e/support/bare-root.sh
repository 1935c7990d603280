#!/bin/sh
# Becomes the extension of a layer in a root file system that contains only /opt, /tmp, /proc, /dev/null and /etc/resolv.conf: no
# shell, no library, no command. It is started like an extension, with an extension's variables, and keeps its process id.
#
#   unshare --mount bare-root.sh <folder> <layer> <nameserver> [<emulator>]
#
# The root is mounted at <folder>, for this process only. <layer> is an unzipped layer, and /tmp is $TMPDIR. With an emulator of
# arm64, the kernel starts arm64 programs in the root; this needs `unshare --user --map-root-user --mount`.
set -eu
folder=$1 layer=$2 nameserver=$3 emulator=${4-}
PATH=/usr/sbin:/usr/bin:/sbin:/bin

if [ "$emulator" ]; then
  # A user namespace has an interpreter list of its own since Linux 6.7. F: the emulator is opened now, so it is found from any
  # root. https://docs.kernel.org/admin-guide/binfmt-misc.html The magic is ELF's for EM_AARCH64, ET_EXEC and ET_DYN.
  mount -t binfmt_misc binfmt_misc "$folder" # and stays mounted below the root: the list exists as long as the mount
  magic='\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00'
  mask='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'
  printf '%s' ":arm64:M::$magic:$mask:$emulator:F" >"$folder/register"
  user= # this namespace has only one user, who may not change its groups
else
  user='--userspec=993:990 --groups='
fi

mount -t tmpfs -o mode=755 bare-root "$folder"
cd "$folder"
mkdir opt tmp proc dev etc
: >dev/null
echo "nameserver $nameserver" >etc/resolv.conf
mount --bind /dev/null dev/null
mount --rbind /proc proc
mount --bind "$layer" opt
mount -o remount,bind,ro opt
mount --bind "$TMPDIR" tmp
mount -o remount,ro "$folder"
export TMPDIR=/tmp
exec chroot $user "$folder" /opt/extensions/cross-account-secrets
