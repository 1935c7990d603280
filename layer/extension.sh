#!/bin/sh
# The extension of the nodejs layer: it hands over to the launcher for this processor, told by the C library's loader
# (glibc's or musl's), so that no command is needed. Elsewhere (a laptop with macOS, say) it starts Node itself, later and
# with what follows alone.
here=${0%/*}/../cross-account-secrets
[ -e /lib64/ld-linux-x86-64.so.2 ] && exec "$here/launcher-x86_64"
[ -e /lib/ld-musl-x86_64.so.1 ] && exec "$here/launcher-x86_64"
[ -e /lib/ld-linux-aarch64.so.1 ] && exec "$here/launcher-arm64"
[ -e /lib/ld-musl-aarch64.so.1 ] && exec "$here/launcher-arm64"

# A core dump would hold the secrets.
ulimit -c 0

# None of the function's own settings for Node, the loader or the AWS SDK: they are meant for the function, and would
# change or break us. launcher.c has the same list.
set -f
IFS='
'
for line in $(export -p); do
  name=${line#export }
  name=${name#declare -x }
  name=${name%%=*}
  case $name in
    *[!A-Za-z0-9_]*) ;; # not a name, but a line of some value
    NODE_EXTRA_CA_CERTS) ;;
    NODE_* | LD_* | SSL_CERT_* | GCONV_PATH | OPENSSL_CONF) unset "$name" ;;
    AWS_PROFILE | AWS_CONFIG_FILE | AWS_SHARED_CREDENTIALS_FILE) unset "$name" ;;
    LISTEN_* | LAMBDA_EXTENSION_IDENTIFIER) unset "$name" ;; # only a launcher that has registered may say these
  esac
done

# The SDK wants a home, and reads ~/.aws in it; the function can write to /tmp, but not to what is not there.
export HOME=/nonexistent

for node in "$here/bin/node" /var/lang/bin/node "$(command -v node)"; do
  [ -x "$node" ] && exec "$node" --no-warnings "$here/main.cjs"
done
echo "cross-account-secrets: there is no Node.js here: attach the layer that carries its own (cross-account-secrets-x86_64)" >&2
exit 1
