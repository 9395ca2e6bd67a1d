#include "daemon/build_info.h"

#include "daemon/build.h"
#include "daemon/version.h"

#ifdef __clang__
#define COMPILER "clang " __clang_version__
#else
#define COMPILER "gcc " __VERSION__
#endif

#if defined(__x86_64__)
#define MACHINE "linux/x86_64"
#elif defined(__aarch64__)
#define MACHINE "linux/aarch64"
#elif defined(__arm__)
#define MACHINE "linux/arm"
#elif defined(__i386__)
#define MACHINE "linux/i386"
#elif defined(__riscv)
#define MACHINE "linux/riscv"
#else
#define MACHINE "linux"
#endif

const struct pu_build_info pu_build_info = {
	.version = PU_VERSION,
	.commit = PU_BUILD_COMMIT,
	.date = PU_BUILD_DATE,
	.compiler = COMPILER,
	.machine = MACHINE,
	.libraries = PU_BUILD_LIBRARIES,
};
