/* The system calls of the running daemon. */
#ifndef PU_PLATFORM_LINUX_SECCOMP_H
#define PU_PLATFORM_LINUX_SECCOMP_H

/* Installs the filter for this process and its threads. PU_ENOTSUP: the kernel has
 * none; PU_ENOMEM, PU_ESYS. */
int pu_linux_seccomp_install(void);
/* See pu_platform_no_rings(). Errors as above. */
int pu_linux_seccomp_no_rings(void);

#endif
