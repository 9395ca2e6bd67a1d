/* Giving privileges away. */
#ifndef PU_PLATFORM_LINUX_CAPS_H
#define PU_PLATFORM_LINUX_CAPS_H

/* See pu_platform_drop(). PU_EINVAL: there are threads; PU_EPERM: something that had to
 * go is still there. */
int pu_linux_caps_drop(unsigned uid, unsigned gid);

#endif
