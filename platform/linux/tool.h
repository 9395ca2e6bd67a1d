/* Runs a program of the host, with text on its standard input, for a bounded time. */
#ifndef PU_PLATFORM_LINUX_TOOL_H
#define PU_PLATFORM_LINUX_TOOL_H

enum { PU_LINUX_TOOL_MS = 5000, PU_LINUX_TOOL_INPUT_MAX = 4096 };

/* argv[0] is the path. 0 when it exits with 0; PU_ENOENT, PU_ETIMEDOUT (killed),
 * PU_ESYS: it failed. Its environment is a fixed minimum. */
int pu_linux_tool_run(const char *const argv[], const char *input);

#endif
