/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "host/system.h"
#include "ops/pull.h"
#include "ops/report.h"
#include "ops/switch.h"

/* Updates: containers get the version of their image that is in the store, or that their registry
   has (system-image.md 8.1, command.md 2.5). */

#define ATM_UPDATE_ERROR (atm_update_error_quark ())
GQuark atm_update_error_quark (void);

typedef enum
{
  ATM_UPDATE_ERROR_REFUSED,    /* this version did not work here before */
  ATM_UPDATE_ERROR_PRIVILEGES, /* it may do more than the one that runs, and nobody allowed that */
  ATM_UPDATE_ERROR_INVALID,    /* the runtime or systemd would not take what came out */
  ATM_UPDATE_ERROR_NOT_STAGED  /* there is nothing to apply */
} AtmUpdateError;

typedef enum
{
  ATM_UPDATE_SWITCH, /* build, then switch */
  ATM_UPDATE_CHECK,  /* ask the source for the manifest, and change nothing */
  ATM_UPDATE_STAGE,  /* pull and build, and leave it for ATM_UPDATE_APPLY */
  ATM_UPDATE_APPLY   /* switch to what was staged */
} AtmUpdateMode;

/* All zero is an update of nothing. Pointers (borrowed). */
typedef struct
{
  char **names;       /* (nullable): containers, updated as one set; %NULL: all, each for itself */
  gboolean automatic; /* of all, only those whose record says so */
  AtmUpdateMode mode;
  gboolean fetch;            /* ask the source of the image first; ATM_UPDATE_STAGE always does */
  const char *rebase;        /* (nullable): an image as typed, source prefix included */
  char **set;                /* (nullable): NAME=VALUE */
  gboolean force;            /* also a version that did not work here before */
  gboolean allow_privileges; /* without names: also one that may do more than the one that runs */
  int health_window_sec;     /* as in AtmSwitchOptions */
  AtmPullOptions pull;       /* its “allow_downgrade” is about what is installed, too */
} AtmUpdateOptions;

typedef enum
{
  ATM_UPDATE_STATE_UNKNOWN,   /* it could not be looked at */
  ATM_UPDATE_STATE_CURRENT,   /* it has the latest version */
  ATM_UPDATE_STATE_AVAILABLE, /* there is a new one; nothing was changed */
  ATM_UPDATE_STATE_REFUSED,   /* there is a new one, which did not work here before */
  ATM_UPDATE_STATE_STAGED,    /* the new one waits */
  ATM_UPDATE_STATE_UPDATED,   /* it has the new one now */
  ATM_UPDATE_STATE_FAILED     /* it was tried, and the old one is there as before */
} AtmUpdateState;

/* What became of one container. All pointers (owned). */
typedef struct
{
  char *name;
  AtmUpdateState state;
  char *image;  /* (nullable): the reference that it follows */
  char *before; /* (nullable): image id before */
  char *after;  /* (nullable): and now */
  char *latest; /* (nullable): and of the newest version that was looked at */
  char *
      *widened;  /* (nullable): what the new version may do and the old one may not, in sentences */
  char *problem; /* (nullable): why it failed, for people */
  gboolean switched_back; /* the new version ran, and the old one runs again */
} AtmUpdateResult;

void atm_update_result_free (AtmUpdateResult *result);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmUpdateResult, atm_update_result_free)

/**
 * atm_update:
 * @options: (borrowed)
 * @results_out: (out) (transfer full) (element-type AtmUpdateResult): one for each container, also
 *   after a failure, by name or as they were named
 * @error: %ATM_UPDATE_ERROR, %ATM_SWITCH_ERROR, %ATM_CONTAINER_ERROR_NOT_FOUND, or of any room
 *   below. Without names the failures of single containers are in @results_out and the last of
 *   them is the error
 *
 * Works from what is in the store unless @options says otherwise. Containers that are named are one
 * set: nothing is stopped before all of them are built and checked, and all go back when one of
 * them does not work. Today's policy is asked about the stored proof in any case.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_update (const AtmSystem *system, const AtmUpdateOptions *options,
                     const AtmReport *report, GPtrArray **results_out, GCancellable *cancellable,
                     GError **error);
