/* Error codes of libpeerup: one table gives number, name and text. */
#ifndef PEERUP_ERROR_H
#define PEERUP_ERROR_H

#ifdef __cplusplus
extern "C" {
#endif

/* name, value, text. Values are part of the ABI: append, never renumber. */
#define PEERUP_ERROR_MAP(X)                                                    \
	X(EINVAL, -1, "invalid argument")                                      \
	X(ENOMEM, -2, "out of memory")                                         \
	X(EAGAIN, -3, "not now, try again")                                    \
	X(EPROTO, -4, "the peer broke the protocol")                           \
	X(ELIMIT, -5, "a limit was reached")                                   \
	X(E2BIG, -6, "message too big")                                        \
	X(EEOF, -7, "end of stream")                                           \
	X(ECLOSED, -8, "already closed")                                       \
	X(ERESET, -9, "reset by the peer")                                     \
	X(ETIMEDOUT, -10, "timed out")                                         \
	X(EREFUSED, -11, "connection refused")                                 \
	X(EUNREACH, -12, "no route to the destination")                        \
	X(EDENIED, -13, "not allowed")                                         \
	X(EPEERID, -14, "the peer is not who we expected")                     \
	X(ECRYPTO, -15, "cryptographic check failed")                          \
	X(ENOPROTO, -16, "protocol not supported by the peer")                 \
	X(ENOENT, -17, "not found")                                            \
	X(EEXIST, -18, "already exists")                                       \
	X(EPERM, -19, "permission denied by the system")                       \
	X(EIO, -20, "input/output error")                                      \
	X(EADDRINUSE, -21, "address already in use")                           \
	X(ENOTSUP, -22, "not supported")                                       \
	X(ECONFIG, -23, "configuration error")                                 \
	X(ECANCELED, -24, "canceled")                                          \
	X(ESYS, -25, "the system refused")                                     \
	X(ENOSPC, -26, "no space left on the disk")                            \
	X(EROFS, -27, "read-only file system")

enum peerup_error {
	PEERUP_OK = 0,
#define X(name, value, text) PEERUP_##name = (value),
	PEERUP_ERROR_MAP(X)
#undef X
};

#if defined(__GNUC__)
#define PEERUP_API __attribute__((visibility("default")))
#else
#define PEERUP_API
#endif

/* Text of a code, never NULL. */
PEERUP_API const char *peerup_strerror(int err);

#ifdef __cplusplus
}
#endif
#endif
