/* What is sealed in the messages of /peerup/invite/3.0.0, in its wire form. */
#ifndef PU_OVERLAY_INVITE_INTRODUCTION_H
#define PU_OVERLAY_INVITE_INTRODUCTION_H

#include "overlay/invite/handshake.h"

enum pu_sealed_kind { PU_SEALED_INTRODUCTION, PU_SEALED_REFUSAL, PU_SEALED_STORED };

/* Append to out. What does not fit into out of the addresses, then of the relays, is left out.
 * PU_ELIMIT, PU_ENOMEM. */
int pu_introduction_pack(const struct pu_introduction *intro, struct pu_buf *out);
int pu_introduction_pack_refusal(const char *text, struct pu_buf *out);
int pu_introduction_pack_stored(struct pu_buf *out);

/* Sets *pkind, and intro or text with it. Addresses of kinds that we do not know are left
 * out. PU_EPROTO. */
int pu_introduction_unpack(struct pu_bytes in, enum pu_sealed_kind *pkind,
			   struct pu_introduction *intro, char text[PU_HANDSHAKE_REFUSAL_MAX + 1]);

/* A name as it came: PU_EPROTO when it is too long or has a NUL. */
int pu_introduction_name(struct pu_bytes in, char out[PU_HANDSHAKE_NAME_MAX + 1]);
/* A text for people as it came: cut, without control characters. */
void pu_introduction_text(struct pu_bytes in, char out[PU_HANDSHAKE_REFUSAL_MAX + 1]);

#endif
