/* Giving privileges away. */
#ifndef PU_PLATFORM_LINUX_CAPS_H
#define PU_PLATFORM_LINUX_CAPS_H

#include "base/bytes.h"

/* See pu_platform_drop(). PU_EINVAL: there are threads; PU_EPERM: something that had to
 * go is still there. */
int pu_linux_caps_drop(unsigned uid, unsigned gid);
/* This process may do something that an ordinary one may not. */
bool pu_linux_caps_any(void);

#endif
