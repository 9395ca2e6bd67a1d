#include "base/err.h"

#include <errno.h>

const char *pu_err_text(int err)
{
	switch (err) {
	case 0:
		return "success";
#define X(name, value, text)                                                   \
	case value:                                                            \
		return text;
		PEERUP_ERROR_MAP(X)
#undef X
	}
	return "unknown error";
}

const char *pu_err_name(int err)
{
	switch (err) {
	case 0:
		return "OK";
#define X(name, value, text)                                                   \
	case value:                                                            \
		return #name;
		PEERUP_ERROR_MAP(X)
#undef X
	}
	return "EUNKNOWN";
}

int pu_err_from_errno(int sys_errno)
{
	static const struct {
		int sys, pu;
	} map[] = {
		{ EINVAL, PU_EINVAL },	       { ENOMEM, PU_ENOMEM },
		{ ENOBUFS, PU_ENOMEM },	       { EAGAIN, PU_EAGAIN },
		{ EWOULDBLOCK, PU_EAGAIN },    { EINTR, PU_EAGAIN },
		{ EMSGSIZE, PU_E2BIG },	       { EPIPE, PU_ECLOSED },
		{ ECONNRESET, PU_ERESET },     { ECONNABORTED, PU_ERESET },
		{ ETIMEDOUT, PU_ETIMEDOUT },   { ECONNREFUSED, PU_EREFUSED },
		{ EHOSTUNREACH, PU_EUNREACH }, { ENETUNREACH, PU_EUNREACH },
		{ EADDRNOTAVAIL, PU_EUNREACH },{ ENOENT, PU_ENOENT },
		{ EEXIST, PU_EEXIST },	       { EPERM, PU_EPERM },
		{ EACCES, PU_EPERM },	       { EIO, PU_EIO },
		{ EADDRINUSE, PU_EADDRINUSE }, { ENOTSUP, PU_ENOTSUP },
		{ EOPNOTSUPP, PU_ENOTSUP },    { EAFNOSUPPORT, PU_ENOTSUP },
		{ ECANCELED, PU_ECANCELED },   { ENOSPC, PU_ENOSPC },
		{ EDQUOT, PU_ENOSPC },	       { EROFS, PU_EROFS },
	};

	for (unsigned i = 0; i < sizeof map / sizeof map[0]; i++)
		if (map[i].sys == sys_errno)
			return map[i].pu;
	return PU_ESYS;
}

const char *peerup_strerror(int err)
{
	return pu_err_text(err);
}
