/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "container/info.h"
#include "container/record.h"
#include "host/system.h"
#include "host/systemd.h"
#include "ops/report.h"

/* All that is known of one container: its versions, its unit, what it brought for the host, its
   settings and what became of it. */

typedef enum
{
  ATM_VERSION_CURRENT,
  ATM_VERSION_PREVIOUS, /* what `rollback` goes to */
  ATM_VERSION_STAGED    /* what `update --apply` goes to */
} AtmVersionRole;

/* One deployment. All pointers (owned). */
typedef struct
{
  AtmVersionRole role;
  char *folder;  /* “NAME.0”, in CHECKOUT */
  AtmInfo *info; /* (nullable): %NULL if it cannot be read */
  char *problem; /* (nullable): why */
} AtmVersion;

typedef enum
{
  ATM_HOST_FILE_UNCHANGED,
  ATM_HOST_FILE_CHANGED, /* by an administrator; updates keep it and uninstall leaves it */
  ATM_HOST_FILE_MISSING
} AtmHostFileState;

/* A file outside of the checkout folder that the current deployment has on record. */
typedef struct
{
  char *path; /* (owned): untrusted */
  AtmHostFileState state;
} AtmHostFile;

/* All pointers (owned). */
typedef struct
{
  char *name;
  GPtrArray *versions;   /* (element-type AtmVersion): the current one first, if there is one */
  char *problem;         /* (nullable): why there is no current one */
  char *state;           /* as in the list: “running” … (command.md 2.4) */
  gboolean unit_known;   /* otherwise systemd could not be asked, and all of “unit” is %NULL */
  AtmUnit unit;          /* of NAME.service */
  GPtrArray *host_files; /* (element-type AtmHostFile): by path */
  AtmRecord *record;
} AtmDescription;

void atm_description_free (AtmDescription *description);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmDescription, atm_description_free)

/**
 * atm_describe_container:
 * @name: as typed
 * @report: (borrowed): told what could not be found out
 * @description_out: (out) (transfer full)
 * @error: %ATM_CONTAINER_ERROR_NOT_FOUND, %G_IO_ERROR
 *
 * Takes no lock, so that it never waits; a command that is at work may be seen half-way.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_describe_container (const AtmSystem *system, const char *name, const AtmReport *report,
                                 AtmDescription **description_out, GError **error);

/**
 * atm_describe_record:
 * @report: (borrowed) (nullable): told if the record is damaged
 * @record_out: (out) (transfer full): the record of container @name
 *
 * As atm_describe_container().
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_describe_record (const AtmSystem *system, const char *name, const AtmReport *report,
                              AtmRecord **record_out, GError **error);
