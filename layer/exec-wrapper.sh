#!/bin/sh
# AWS_LAMBDA_EXEC_WRAPPER of the nodejs layer: starts the exec wrapper for this processor. The C library's loader (glibc's or
# musl's) shows which processor it is, so that no other command is needed. exec-wrapper.c says what the exec wrapper does.
here=${0%/*}
for loader in /lib64/ld-linux-x86-64.so.2 /lib/ld-musl-x86_64.so.1; do
  [ -e "$loader" ] && exec "$here/exec-wrapper-x86_64" "$@"
done
for loader in /lib/ld-linux-aarch64.so.1 /lib/ld-musl-aarch64.so.1; do
  [ -e "$loader" ] && exec "$here/exec-wrapper-arm64" "$@"
done
echo "cross-account-secrets: there is an exec wrapper only for Linux on x86_64 and arm64" >&2
exit 126
