/* A text as a QR code on a terminal. */
#ifndef PU_CLI_QR_H
#define PU_CLI_QR_H

#include <stdio.h>

#include "base/bytes.h"

enum pu_qr_fit { PU_QR_SHOWN, PU_QR_TOO_NARROW, PU_QR_IMPOSSIBLE };

/* Two modules per character, one above the other. columns: of the terminal, 0: unknown. color:
 * black on white whatever the terminal's colours are; without it light is drawn as block,
 * which suits the usual dark background. Nothing is printed unless the whole code fits. */
enum pu_qr_fit pu_qr_print(FILE *f, const char *text, unsigned columns, bool color);

/* Columns of the terminal on stdout, 0 when unknown. */
unsigned pu_qr_columns(void);

#endif
