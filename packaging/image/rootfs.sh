#!/bin/sh
# Lays out the image's whole file system from this Debian's own files: the executable, the libraries that it loads, a shell
# for ssl_passphrase_command and hooks, and tini. No package manager, no Node, no npm.
#
#   rootfs.sh EXECUTABLE DIRECTORY
set -eu
here=$(dirname "$0")
program=$1
root=$2

mkdir -p "$root/usr/bin" "$root/usr/lib" "$root/usr/lib64" "$root/etc/pg-gatehouse" "$root/proc" "$root/dev" "$root/run"
ln -s usr/bin "$root/bin"
ln -s usr/lib "$root/lib"
ln -s usr/lib64 "$root/lib64"
install -d -m 1777 "$root/tmp"

install -m 0755 "$program" "$root/usr/bin/pg-gatehouse"
install -m 0755 /usr/bin/tini-static "$root/usr/bin/tini"
# bash has TCP of its own, which the health check needs.
install -m 0755 /bin/bash "$root/usr/bin/bash"
ln -s bash "$root/usr/bin/sh"
install -D -m 0644 "$here/../../config/docker/healthcheck.sh" "$root/opt/pg-gatehouse/healthcheck.sh"
for tool in cat chown sleep; do install -m 0755 "$(command -v "$tool")" "$root/usr/bin/$tool"; done

# Each library under the path at which the loader looks for it, the loader itself included.
for file in "$root"/usr/bin/*; do
  case $file in */tini) ;; *) ldd "$file" ;; esac
done | sed -n 's/^[^/]*\(\/[^ ]*\) (0x[0-9a-f]*)$/\1/p' | sort -u | while read -r library; do
  install -D -m 0755 "$library" "$root$library"
done

printf 'root:x:0:0:root:/:/bin/sh\ngatehouse:x:10001:10001:pg-gatehouse:/:/bin/sh\n' >"$root/etc/passwd"
printf 'root:x:0:\ngatehouse:x:10001:\n' >"$root/etc/group"
printf 'passwd: files\ngroup: files\nhosts: files dns\n' >"$root/etc/nsswitch.conf"
install -m 0644 "$here/gatehouse.yaml" "$here/../../config/pg_hba.conf" "$here/../../config/pg_ident.conf" "$root/etc/pg-gatehouse/"
