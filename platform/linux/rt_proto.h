/* The name of our route protocol for "ip route show proto peerup". The package installs
 * it; without the package it is there while we run. */
#ifndef PU_PLATFORM_LINUX_RT_PROTO_H
#define PU_PLATFORM_LINUX_RT_PROTO_H

#include "base/bytes.h"
#include "platform/linux/paths.h"

/* True when the file is there at run time only, so that it has to be removed. */
bool pu_linux_rt_proto_add(const struct pu_linux_paths *paths);
/* Removes the file unless it is the package's. */
void pu_linux_rt_proto_remove(const struct pu_linux_paths *paths);

#endif
