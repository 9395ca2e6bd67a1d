#!/bin/sh
# Becomes the first process of a machine: machine.sh TREE FOLDER plain|booted PACKAGES
#
# Run in new mount, network, process, host name, IPC and control group namespaces. The machine
# sees TREE, which stays as it is: what it writes is in memory and goes with it. FOLDER is
# empty. "booted" runs systemd, "plain" nothing, as in a chroot.
set -eu
tree=$1 folder=$2 kind=$3 packages=$4

mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs "$folder"
mkdir "$folder/upper" "$folder/work" "$folder/root"
mount -t overlay overlay \
	-o "lowerdir=$tree,upperdir=$folder/upper,workdir=$folder/work" "$folder/root"
cd "$folder/root"

# The kernel is the host's: a machine may set up its own network and nothing else.
mount -t proc proc proc
mount --bind proc/sys proc/sys
mount --bind proc/sys/net proc/sys/net
mount -o remount,bind,ro proc/sys
mount -o remount,bind,rw proc/sys/net
[ ! -e proc/sysrq-trigger ] || mount --bind /dev/null proc/sysrq-trigger
mount -t sysfs -o ro sysfs sys
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp
mount -t tmpfs -o mode=755 tmpfs dev
for device in null zero full random urandom tty; do
	touch "dev/$device"
	mount --bind "/dev/$device" "dev/$device"
done
mkdir dev/net
mknod -m 666 dev/net/tun c 10 200 # as udev makes it
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
mount -t tmpfs -o mode=1777 tmpfs dev/shm
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
mkdir run/packages
mount --bind "$packages" run/packages
hostname "$kind"
ip link set lo up

umask 022
if [ "$kind" = booted ]; then
	mount -t cgroup2 cgroup sys/fs/cgroup
	set -- /lib/systemd/systemd --log-target=journal
else
	set -- sleep infinity
fi
pivot_root . mnt
cd /
umount -l mnt
touch /run/ready
exec env -i container=lab PATH=/usr/sbin:/usr/bin:/sbin:/bin setpriv \
	--bounding-set=-sys_time,-sys_module,-sys_rawio,-sys_boot,-syslog,-mknod "$@"
