/* Known answers from files of `name = value` lines under tests/unit/vectors.
 * '#' starts a comment; a value may go on in indented lines. */
#ifndef PU_TESTS_SUPPORT_VECTORS_H
#define PU_TESTS_SUPPORT_VECTORS_H

#include "base/bytes.h"

struct pu_vectors;

/* file: name below the directory of vectors. Fails the test when unreadable. */
struct pu_vectors *pu_vectors_load(const char *file);
void pu_vectors_free(struct pu_vectors *v);

/* The value as hex bytes or as text; both live as long as v. A missing name or bad
 * hex fails the test. */
struct pu_bytes pu_vectors_hex(struct pu_vectors *v, const char *name);
const char *pu_vectors_text(struct pu_vectors *v, const char *name);

/* Iterates over all pairs in file order; false at the end. *pi starts at 0. */
bool pu_vectors_next(struct pu_vectors *v, size_t *pi, const char **pname, const char **pvalue);

#endif
