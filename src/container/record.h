/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

/* Records: what is known of a container beyond its deployments: settings, versions that were
   refused, and what was done. CHECKOUT/.storage/containers/NAME, JSON, 0600. It
   outlives updates and goes with the container. A record is a memory and never a proof: what a
   container is stands in its deployments. */

#define ATM_RECORD_MAX_BYTES (1024 * 1024)
#define ATM_RECORD_TEXT_MAX_BYTES 512 /* of one text; what is longer is cut */
#define ATM_RECORD_HISTORY_MAX 100
#define ATM_RECORD_REFUSED_MAX 100
#define ATM_RECORD_ACCEPTED_MAX 32
#define ATM_RECORD_HEALTH_WINDOW_MAX_SEC 86400
#define ATM_RECORD_HEALTH_WINDOW_DEFAULT (-1)

typedef enum
{
  ATM_RECORD_DONE,   /* “done” */
  ATM_RECORD_UNDONE, /* “undone”: it failed or was interrupted, and nothing has changed */
  ATM_RECORD_SWITCHED_BACK, /* “switched-back”: the new version ran and was not healthy */
} AtmRecordResult;

/* One version of a container. All (owned) (nullable). */
typedef struct
{
  char *image;    /* the reference, as recorded in its `info` */
  char *digest;   /* of the manifest: “revision” of its `info` */
  int deployment; /* 0 or 1; -1: there is no such version (before an install) */
} AtmRecordVersion;

/* What was done once. All pointers (owned). */
typedef struct
{
  char *plan_id; /* of the plan that did it */
  char *verb;    /* “install”, “update”, “rollback” */
  AtmRecordResult result;
  gint64 time_unix;
  AtmRecordVersion from, to;
  char **accepted_by; /* (nullable): who vouched for @to, as its `info` says */
  char *note; /* (nullable): why it did not succeed, or that a recovery did it; for people */
} AtmRecordEntry;

/* A version that did not work here. All pointers (owned). */
typedef struct
{
  char *digest; /* of the manifest */
  gint64 time_unix;
  char *reason; /* for people */
} AtmRecordRefusal;

/* All pointers (owned). */
typedef struct
{
  gboolean auto_update;  /* default: no */
  int health_window_sec; /* 0 to %ATM_RECORD_HEALTH_WINDOW_MAX_SEC, or
                            %ATM_RECORD_HEALTH_WINDOW_DEFAULT */
  GPtrArray *refused;    /* (element-type AtmRecordRefusal): oldest first */
  GPtrArray *history;    /* (element-type AtmRecordEntry): oldest first */
  char *problem;         /* (nullable): why it could not be read, for people */
} AtmRecord;

AtmRecord *atm_record_new (void);
void atm_record_free (AtmRecord *record);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmRecord, atm_record_free)

/**
 * atm_record_entry_new:
 * @plan_id: of the plan
 * @verb: as above
 *
 * Returns: (transfer full): an entry of no versions, done now
 */
AtmRecordEntry *atm_record_entry_new (const char *plan_id, const char *verb,
                                      AtmRecordResult result);
void atm_record_entry_free (AtmRecordEntry *entry);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmRecordEntry, atm_record_entry_free)

/**
 * atm_record_result_to_string:
 *
 * Returns: (transfer none): as above, “done”
 */
const char *atm_record_result_to_string (AtmRecordResult result);

/**
 * atm_record_parse:
 * @bytes: (borrowed): ours, but it may be damaged
 * @record_out: (out) (transfer full)
 * @error: %ATM_JSON_ERROR
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_record_parse (GBytes *bytes, AtmRecord **record_out, GError **error);

/**
 * atm_record_to_bytes:
 *
 * Returns: (transfer full): JSON of at most %ATM_RECORD_MAX_BYTES: texts are cut, and where that
 *   is not enough the oldest entries of the history are left out
 */
GBytes *atm_record_to_bytes (const AtmRecord *record);

/**
 * atm_record_read:
 * @checkout_fd: (borrowed): CHECKOUT
 * @name: valid
 *
 * A container without a record has the defaults. So has one whose record is damaged, with the
 * reason in “problem”: no verb may be held up by it, and the default allows nothing (no automatic
 * update). Readers need no lock.
 *
 * Returns: (transfer full)
 */
AtmRecord *atm_record_read (int checkout_fd, const char *name);

/**
 * atm_record_write:
 * @checkout_fd: (borrowed): CHECKOUT
 * @name: valid
 * @record: (borrowed)
 * @error: %G_IO_ERROR
 *
 * The caller holds the lock of the container. After a power cut the old record is there or the new
 * one, whole. Where @record has a “problem”, the damaged file is kept as “.NAME.damaged” beside it.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_record_write (int checkout_fd, const char *name, const AtmRecord *record,
                           GError **error);

/**
 * atm_record_remove:
 * @error: %G_IO_ERROR; that there is none is no error
 *
 * The caller holds the lock of the container.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_record_remove (int checkout_fd, const char *name, GError **error);

/**
 * atm_record_add:
 * @entry: (transfer full): takes the place of the one of the same plan, if there is one: a recovery
 *   may tell the same again
 */
void atm_record_add (AtmRecord *record, AtmRecordEntry *entry);

/**
 * atm_record_append:
 * @entry: (transfer full)
 * @error: %G_IO_ERROR
 *
 * atm_record_read(), atm_record_add() and atm_record_write().
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_record_append (int checkout_fd, const char *name, AtmRecordEntry *entry,
                            GError **error);

/**
 * atm_record_refuse:
 * @digest: “revision” of the `info` that was tried
 * @reason: for people
 *
 * Remembers that this version did not work; once more replaces time and reason.
 */
void atm_record_refuse (AtmRecord *record, const char *digest, const char *reason);

/**
 * atm_record_forgive:
 * @digest: of a version that works after all, or any other
 */
void atm_record_forgive (AtmRecord *record, const char *digest);

/**
 * atm_record_find_refusal:
 * @digest: (nullable)
 *
 * Returns: (transfer none) (nullable): that this version did not work
 */
const AtmRecordRefusal *atm_record_find_refusal (const AtmRecord *record, const char *digest);
