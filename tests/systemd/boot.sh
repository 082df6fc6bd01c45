#!/bin/bash
# Boots the host's own systemd as PID 1 of namespaces of its own, over a throw-away overlay of the host's `/`.
#
#   unshare --mount boot.sh FOLDER BINARY SECONDS
#
# FOLDER/etc is laid over the machine's /etc, FOLDER/driver is run once the machine is up, and FOLDER/report is the only
# place whose content outlives the machine. BINARY becomes /usr/bin/crontabber. All else that the machine writes is in
# memory and goes with it: the host's disk, services and kernel settings are not touched. Ends with 130 when the machine
# has powered itself off; it is killed after SECONDS.
set -euo pipefail

folder=$1
binary=$2

if [[ ${3:-} != inside ]]; then
    # What is mounted from here on is seen by this machine only.
    mount --make-rprivate /

    # A control group of its own, or two machines at once would take each other's processes for their own.
    mkdir "$folder/cgroup"
    mount -t cgroup2 cgroup2 "$folder/cgroup"
    group=$folder/cgroup/crontabber-machine-$$
    mkdir "$group"

    status=0
    timeout --foreground --signal=KILL "$3" \
        unshare --mount --pid --uts --ipc --net --fork --kill-child \
        bash "$0" "$folder" "$binary" inside "$group" || status=$?

    # The last processes of a machine may take a moment to be gone.
    for _ in {1..50}; do
        find "$group" -depth -type d -exec rmdir {} + 2>/dev/null && break
        sleep 0.1
    done
    exit "$status"
fi

echo 0 >"$4/cgroup.procs"

stage=$folder/stage
mkdir "$stage"
mount -t tmpfs -o mode=0755 tmpfs "$stage"
root=$stage/root
mkdir "$stage/upper" "$stage/work" "$root"
mount -t overlay -o "lowerdir=/,upperdir=$stage/upper,workdir=$stage/work" overlay "$root"

mount -t proc proc "$root/proc"
# Kernel settings belong to the host as well; systemd leaves them alone where it cannot write them.
mount --bind "$root/proc/sys" "$root/proc/sys"
mount -o remount,bind,ro "$root/proc/sys"
mount -t sysfs -o ro sysfs "$root/sys"
# Seen from a namespace that begins at the machine's own group.
unshare --cgroup mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs -o mode=0755 tmpfs "$root/dev"
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
for device in null zero full random urandom tty; do
    touch "$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
done
mount -t tmpfs -o mode=0755 tmpfs "$root/run"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"

# Units that the host's owner enabled must not start here a second time.
rm -rf "$root/etc/systemd/system" "$root/etc/crontabber" "$root/var/lib/crontabber"
: >"$root/etc/fstab"
echo 0123456789abcdef0123456789abcdef >"$root/etc/machine-id"
cp -r "$folder/etc/." "$root/etc/"
touch "$root/usr/bin/crontabber"
mount --bind "$binary" "$root/usr/bin/crontabber"
mkdir "$root/report" "$root/old"
mount --bind "$folder/report" "$root/report"
install -m 755 "$folder/driver" "$root/driver"

cd "$root"
pivot_root . old
umount --lazy old
# Without these two capabilities nothing in the machine loads a kernel module or sets the host's clock.
exec unshare --cgroup setpriv --bounding-set=-sys_module,-sys_time --inh-caps=-sys_module,-sys_time \
    env -i container=box PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
    /lib/systemd/systemd --show-status=no --log-target=journal
