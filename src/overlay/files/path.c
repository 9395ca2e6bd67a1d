#include "overlay/files/path.h"

#include <stdio.h>

#include "base/err.h"

/* Length of the character at p, its code in *pcode; 0: not UTF-8. */
static size_t utf8_char(const uint8_t *p, size_t left, uint32_t *pcode)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t len = p[0] < 0x80 ? 1 : p[0] < 0xc0 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 :
		     p[0] < 0xf8 ? 4 : 0;
	uint32_t code = len < 2 ? p[0] : p[0] & (0x7fu >> len);

	if (len == 0 || len > left)
		return 0;
	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (p[i] & 0x3f);
	}
	if (code < least[len] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return 0;
	*pcode = code;
	return len;
}

/* Controls, line ends of Unicode, and what makes "exe.txt" of "txt.exe". */
static bool steers(uint32_t code)
{
	return code < 0x20 || (code >= 0x7f && code <= 0x9f) || code == 0x2028 || code == 0x2029 ||
	       (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069) ||
	       code == '/';
}

static bool is_part(struct pu_bytes name)
{
	size_t n = sizeof PU_FILES_PART_PREFIX - 1, m = sizeof PU_FILES_PART_SUFFIX - 1;

	return name.len >= n + m && memcmp(name.p, PU_FILES_PART_PREFIX, n) == 0 &&
	       memcmp(name.p + name.len - m, PU_FILES_PART_SUFFIX, m) == 0;
}

bool pu_files_name_ok(struct pu_bytes name)
{
	uint32_t code;
	size_t n;

	if (name.len == 0 || name.len > PU_FILES_NAME_MAX || pu_bytes_eq_str(name, ".") ||
	    pu_bytes_eq_str(name, "..") || is_part(name))
		return false;
	for (size_t i = 0; i < name.len; i += n) {
		n = utf8_char(name.p + i, name.len - i, &code);
		if (n == 0 || steers(code))
			return false;
	}
	return true;
}

int pu_files_path_check(struct pu_bytes path)
{
	unsigned depth = 0;

	if (path.len > PU_FILES_PATH_MAX)
		return PU_E2BIG;
	for (;;) {
		const uint8_t *slash = path.len ? memchr(path.p, '/', path.len) : NULL;
		struct pu_bytes name = { path.p, slash ? (size_t)(slash - path.p) : path.len };

		if (!pu_files_name_ok(name))
			return PU_EINVAL;
		if (++depth > PU_FILES_DEPTH_MAX)
			return PU_E2BIG;
		if (!slash)
			return 0;
		path = pu_bytes(slash + 1, path.len - name.len - 1);
	}
}

bool pu_files_path_next(struct pu_bytes *rest, struct pu_bytes *name)
{
	const uint8_t *slash;

	if (rest->len == 0)
		return false;
	slash = memchr(rest->p, '/', rest->len);
	*name = pu_bytes(rest->p, slash ? (size_t)(slash - rest->p) : rest->len);
	*rest = slash ? pu_bytes(slash + 1, rest->len - name->len - 1) : pu_bytes(NULL, 0);
	return true;
}

int pu_files_path_other(const char *name, unsigned n, char out[PU_FILES_NAME_MAX + 1])
{
	const char *dot = strrchr(name, '.');
	char other[2 * PU_FILES_NAME_MAX];
	int stem, len;

	if (!dot || dot == name)
		dot = name + strlen(name);
	stem = (int)(dot - name);
	len = snprintf(other, sizeof other, "%.*s (%u)%s", stem, name, n, dot);
	if (len > PU_FILES_NAME_MAX)
		return PU_E2BIG;
	memcpy(out, other, (size_t)len + 1);
	return 0;
}
