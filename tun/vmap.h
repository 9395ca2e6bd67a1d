/* Destination prefix → route handle, longest match first, for both families. */
#ifndef PU_TUN_VMAP_H
#define PU_TUN_VMAP_H

#include "tun/packet.h"

struct pu_vmap;

/* Handle 0 means "none". */
int pu_vmap_new(struct pu_vmap **pm);
void pu_vmap_free(struct pu_vmap *m);
/* Sets or replaces prefix/bits → handle; bits of prefix behind the length are ignored.
 * PU_ENOMEM; PU_EINVAL: no address, bad length, handle 0; PU_ELIMIT: 2^18 prefixes. */
int pu_vmap_set(struct pu_vmap *m, const struct pu_ip *prefix, unsigned bits, uint32_t handle);
void pu_vmap_remove(struct pu_vmap *m, const struct pu_ip *prefix, unsigned bits);
/* Removes every prefix of the handle. */
void pu_vmap_remove_handle(struct pu_vmap *m, uint32_t handle);
uint32_t pu_vmap_find(const struct pu_vmap *m, const struct pu_ip *addr);

#endif
