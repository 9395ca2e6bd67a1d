#!/usr/bin/env bash
# Machines that sleep: the process stands still for a moment and for longer than any timeout of
# its peer; what is stopped keeps its device, and programs only wait. (Picture: ../roam.sh)
. "$(dirname "$0")/../lib.sh"
. "$LIB_DIR/roam.sh"
roam_setup
load 80 5

sleeps() {
	local pid
	pid=$(daemon_pid "$1")
	kill -STOP "$pid"
	sleep "$2"
	kill -CONT "$pid"
}

say "the laptop sleeps for 10 seconds"
sleeps laptop 10
answered_within 3000

say "the laptop sleeps for 40 seconds"
sleeps laptop 40
answered_within 3000
# A segment that found the device's queue full is sent again by the kernel after twice the
# time at the latest.
survived 100000
says '"connected": *true' peerup laptop status --json
