/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

/* Plans: what is being changed about containers, written down before the first step so that a run
   that was killed can be finished or undone (DESIGN section 5). A plan is a file in
   CHECKOUT/.storage/journal, called as the first of its containers. */

#define ATM_PLAN_ERROR (atm_plan_error_quark ())
GQuark atm_plan_error_quark (void);

typedef enum
{
  ATM_PLAN_ERROR_INVALID /* the file is no plan of ours */
} AtmPlanError;

#define ATM_PLAN_MAX_BYTES (1024 * 1024)

/* Containers that are changed as one set. */
#define ATM_PLAN_CHANGES_MAX 1000

/* No deployment: where an installation comes from, and an uninstallation leads to. */
#define ATM_PLAN_NONE (-1)

/* One container goes from one deployment to another. */
typedef struct
{
  char *name;        /* (owned) */
  int from;          /* 0, 1 or ATM_PLAN_NONE */
  int to;            /* 0, 1 or ATM_PLAN_NONE; not equal to @from */
  gboolean builds;   /* NAME.to is new, and goes again when the plan is undone */
  gboolean replaces; /* NAME.to existed before: meanwhile it is .NAME.to.old */
  gboolean enabled;  /* the unit was enabled before */
  gboolean blamed;   /* the new version did not run; not written down */
  gboolean settled;  /* what tmpfiles makes for it is there before the stop; not written down */
} AtmPlanChange;

typedef struct
{
  char *id;       /* (owned): random; of the entry in the history, too */
  char *verb;     /* (owned): “install”, “update”, “rollback”, “uninstall” */
  char *boot_id;  /* (owned): of the kernel that ran when the plan was made */
  gboolean trial; /* an interrupted run is undone even when all links are at their targets */
  gboolean
      confirmed;  /* the switch is complete; only what is not needed any more is to be removed */
  gboolean purge; /* uninstall: state folders go, too */
  GPtrArray *changes; /* (owned) (element-type AtmPlanChange): at least one */
  char **running;     /* (owned): units that ran before, in the order in which they start */
} AtmPlan;

/**
 * atm_plan_new:
 * @verb: one of “install”, “update”, “rollback”, “uninstall”
 *
 * Returns: (transfer full): a plan without changes, of this boot
 */
AtmPlan *atm_plan_new (const char *verb);
void atm_plan_free (AtmPlan *plan);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmPlan, atm_plan_free)

/**
 * atm_plan_add:
 * @name: valid
 * @from: 0, 1 or %ATM_PLAN_NONE
 * @to: likewise, and another one
 *
 * Returns: (transfer none): the change, whose other members are FALSE
 */
AtmPlanChange *atm_plan_add (AtmPlan *plan, const char *name, int from, int to);

/**
 * atm_plan_is_of_this_boot:
 *
 * Returns: whether the host has not been started again since the plan was made
 */
gboolean atm_plan_is_of_this_boot (const AtmPlan *plan);

/**
 * atm_plan_parse:
 * @bytes: (borrowed): a file of the journal, trusted no further than that root wrote it
 * @plan_out: (out) (transfer full)
 * @error: %ATM_JSON_ERROR, %ATM_PLAN_ERROR_INVALID
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_plan_parse (GBytes *bytes, AtmPlan **plan_out, GError **error);

/**
 * atm_plan_to_bytes:
 *
 * Returns: (transfer full): JSON, for atm_plan_parse()
 */
GBytes *atm_plan_to_bytes (const AtmPlan *plan);

/**
 * atm_plan_write:
 * @checkout_fd: (borrowed): CHECKOUT
 * @error: %G_IO_ERROR
 *
 * Writes the plan, or replaces what was written of it: it is on the disk when this returns.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_plan_write (const AtmPlan *plan, int checkout_fd, GError **error);

/**
 * atm_plan_remove:
 * @error: %G_IO_ERROR
 *
 * The change is over. That there is no such file is no error.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_plan_remove (const AtmPlan *plan, int checkout_fd, GError **error);

/* A file of the journal. All pointers (owned). */
typedef struct
{
  char *file;    /* its name */
  AtmPlan *plan; /* (nullable): %NULL if it cannot be read */
  char *problem; /* (nullable): why not */
} AtmPlanFile;

void atm_plan_file_free (AtmPlanFile *file);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmPlanFile, atm_plan_file_free)

/**
 * atm_plan_list:
 * @checkout_fd: (borrowed): CHECKOUT, or -1 if there is none
 * @files_out: (out) (transfer full) (element-type AtmPlanFile): by name, also damaged ones
 * @error: %G_IO_ERROR
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_plan_list (int checkout_fd, GPtrArray **files_out, GError **error);

/**
 * atm_plan_is_pending:
 * @name: of a container
 * @pending_out: (out): whether a plan for it is in the journal, or a damaged one that is called so
 * @error: %G_IO_ERROR
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_plan_is_pending (int checkout_fd, const char *name, gboolean *pending_out,
                              GError **error);
