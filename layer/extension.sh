#!/bin/sh
# The extension of the nodejs layer: starts the launcher for this processor. The C library's loader (glibc's or musl's) shows
# which processor it is, so that no other command is needed. On another system, such as macOS, this script starts Node itself:
# later than the launcher would, and only with the steps below.
here=${0%/*}/../cross-account-secrets
[ -e /lib64/ld-linux-x86-64.so.2 ] && exec "$here/launcher-x86_64"
[ -e /lib/ld-musl-x86_64.so.1 ] && exec "$here/launcher-x86_64"
[ -e /lib/ld-linux-aarch64.so.1 ] && exec "$here/launcher-arm64"
[ -e /lib/ld-musl-aarch64.so.1 ] && exec "$here/launcher-arm64"

# A core dump would hold the secrets.
ulimit -c 0

# Removes the function's settings for Node, the loader and the AWS SDK: they are meant for the function, and could change or
# break the extension. launcher.c has the same list.
set -f
IFS='
'
for line in $(export -p); do
  name=${line#export }
  name=${name#declare -x }
  name=${name%%=*}
  case $name in
    *[!A-Za-z0-9_]*) ;; # not a name, but a line of a value
    NODE_EXTRA_CA_CERTS) ;;
    NODE_* | LD_* | SSL_CERT_* | GCONV_PATH | OPENSSL_CONF) unset "$name" ;;
    AWS_PROFILE | AWS_CONFIG_FILE | AWS_SHARED_CREDENTIALS_FILE) unset "$name" ;;
    LISTEN_* | LAMBDA_EXTENSION_IDENTIFIER) unset "$name" ;; # only a launcher that has registered may set these
  esac
done

# The SDK needs a home folder and reads ~/.aws in it. The function can write to /tmp, but not to a folder that does not exist.
export HOME=/nonexistent

for node in "$here/bin/node" /var/lang/bin/node "$(command -v node)"; do
  [ -x "$node" ] && exec "$node" --no-warnings "$here/main.cjs"
done
echo "cross-account-secrets: there is no Node.js here: attach the layer that carries its own (cross-account-secrets-x86_64)" >&2
exit 1
