#include "cli/qr.h"

#include <qrencode.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { QUIET = 2 /* light modules around it; readers do with fewer than the standard's four */ };

/* Row or column beyond the code: the light margin. */
static bool is_dark(const QRcode *q, int x, int y)
{
	return x >= 0 && y >= 0 && x < q->width && y < q->width &&
	       (q->data[y * q->width + x] & 1);
}

static const char *cell(bool upper_light, bool lower_light)
{
	if (upper_light)
		return lower_light ? "\u2588" : "\u2580";
	return lower_light ? "\u2584" : " ";
}

static void print_row(FILE *f, const QRcode *q, int y, bool color)
{
	if (color)
		fputs("\033[97;40m", f);
	for (int x = -QUIET; x < q->width + QUIET; x++)
		fputs(cell(!is_dark(q, x, y), y + 1 < q->width + QUIET && !is_dark(q, x, y + 1)),
		      f);
	fputs(color ? "\033[0m\n" : "\n", f);
}

enum pu_qr_fit pu_qr_print(FILE *f, const char *text, unsigned columns, bool color)
{
	QRcode *q = QRcode_encodeString(text, 0, QR_ECLEVEL_M, QR_MODE_8, 1);
	enum pu_qr_fit fit = PU_QR_SHOWN;

	if (!q)
		return PU_QR_IMPOSSIBLE;
	if (columns > 0 && (unsigned)(q->width + 2 * QUIET) > columns)
		fit = PU_QR_TOO_NARROW;
	for (int y = -QUIET; fit == PU_QR_SHOWN && y < q->width + QUIET; y += 2)
		print_row(f, q, y, color);
	QRcode_free(q);
	return fit;
}

unsigned pu_qr_columns(void)
{
	const char *env = getenv("COLUMNS");
	struct winsize w;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 0)
		return w.ws_col;
	return env ? (unsigned)strtoul(env, NULL, 10) : 0;
}
