#!/bin/sh
# AWS_LAMBDA_EXEC_WRAPPER of the nodejs layer: it hands over to the exec wrapper for this processor, told by the C library's
# loader (glibc's or musl's), so that no command is needed. exec-wrapper.c says what that one does.
here=${0%/*}
for loader in /lib64/ld-linux-x86-64.so.2 /lib/ld-musl-x86_64.so.1; do
  [ -e "$loader" ] && exec "$here/exec-wrapper-x86_64" "$@"
done
for loader in /lib/ld-linux-aarch64.so.1 /lib/ld-musl-aarch64.so.1; do
  [ -e "$loader" ] && exec "$here/exec-wrapper-arm64" "$@"
done
echo "cross-account-secrets: there is an exec wrapper only for Linux on x86_64 and arm64" >&2
exit 126
