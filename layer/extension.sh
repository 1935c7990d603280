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

# Passes on only the variables that the extension reads: the function may have settings for Node, the C library, OpenSSL or the
# SDK, which could change or break the extension. launcher.c has the same list.
set -f -- "$here"
unset here line name node # a variable of the function with such a name would still be exported
IFS='
'
for line in $(export -p); do
  name=${line#export }
  name=${name#declare -x }
  name=${name%%=*}
  case $name in
    *[!A-Za-z0-9_]*) ;; # not a name, but a line of a value
    IFS | line | name) ;; # of this script
    CROSS_ACCOUNT_SECRETS_* | ROLE_ARN | SECRET_NAME | PATH | TMPDIR | NODE_EXTRA_CA_CERTS | AWS_CA_BUNDLE) ;;
    PARAMETERS_SECRETS_EXTENSION_CACHE_ENABLED | PARAMETERS_SECRETS_EXTENSION_CACHE_SIZE) ;;
    PARAMETERS_SECRETS_EXTENSION_HTTP_PORT | PARAMETERS_SECRETS_EXTENSION_LOG_LEVEL | SECRETS_MANAGER_TIMEOUT_MILLIS) ;;
    SECRETS_MANAGER_TTL | SSM_PARAMETER_STORE_TIMEOUT_MILLIS | SSM_PARAMETER_STORE_TTL) ;;
    AWS_LAMBDA_FUNCTION_NAME | AWS_LAMBDA_INITIALIZATION_TYPE | AWS_LAMBDA_RUNTIME_API | AWS_REGION) ;;
    AWS_ACCESS_KEY_ID | AWS_SECRET_ACCESS_KEY | AWS_SESSION_TOKEN | AWS_TOKEN) ;;
    AWS_CONTAINER_AUTHORIZATION_TOKEN | AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE | AWS_CONTAINER_CREDENTIALS_FULL_URI) ;;
    AWS_ENDPOINT_URL | AWS_ENDPOINT_URL_SECRETS_MANAGER | AWS_ENDPOINT_URL_SSM | AWS_ENDPOINT_URL_STS) ;;
    AWS_IGNORE_CONFIGURED_ENDPOINT_URLS | AWS_USE_DUALSTACK_ENDPOINT | AWS_USE_FIPS_ENDPOINT) ;;
    *) command unset "$name" 2>/dev/null ;; # `command`, because the shell has variables that cannot be unset
  esac
done
unset IFS

# The SDK needs a home folder and reads ~/.aws in it. The function can write to /tmp, but not to a folder that does not exist.
export HOME=/nonexistent

for node in "$1/bin/node" /var/lang/bin/node "$(command -v node)"; do
  [ -x "$node" ] && exec "$node" --no-warnings "$1/main.cjs"
done
echo "cross-account-secrets: there is no Node.js here: attach the layer that carries its own (cross-account-secrets-x86_64)" >&2
exit 1
