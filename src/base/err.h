/* Internal spelling of the public error table, and errno translation. */
#ifndef PU_BASE_ERR_H
#define PU_BASE_ERR_H

#include "peerup/error.h"

enum pu_err {
	PU_OK = 0,
#define X(name, value, text) PU_##name = (value),
	PEERUP_ERROR_MAP(X)
#undef X
};

/* Text of a PU_E… code, never NULL. */
const char *pu_err_text(int err);
/* Name of a PU_E… code without prefix ("EPROTO"), for logs; never NULL. */
const char *pu_err_name(int err);
/* The code that says the same as a positive errno; PU_ESYS when none does. */
int pu_err_from_errno(int sys_errno);

#endif
