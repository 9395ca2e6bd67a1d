/* Intrusive doubly linked list; the head is a node of its own. */
#ifndef PU_BASE_LIST_H
#define PU_BASE_LIST_H

#include "base/bytes.h"

struct pu_list {
	struct pu_list *prev, *next;
};

static inline void pu_list_init(struct pu_list *l)
{
	l->prev = l->next = l;
}

/* True for an empty head and for a node that is in no list. */
static inline bool pu_list_empty(const struct pu_list *l)
{
	return l->next == l;
}

static inline void pu_list_append(struct pu_list *head, struct pu_list *n)
{
	n->prev = head->prev;
	n->next = head;
	head->prev->next = n;
	head->prev = n;
}

/* Takes the node out; it may be removed again without harm. */
static inline void pu_list_remove(struct pu_list *n)
{
	n->prev->next = n->next;
	n->next->prev = n->prev;
	pu_list_init(n);
}

/* First node or NULL. */
static inline struct pu_list *pu_list_first(const struct pu_list *head)
{
	return pu_list_empty(head) ? NULL : head->next;
}

/* The body may remove it, but not free or remove other nodes. */
#define PU_LIST_FOREACH(it, tmp, head)                                         \
	for (struct pu_list *it = (head)->next, *tmp = it->next; it != (head); \
	     it = tmp, tmp = it->next)

#endif
