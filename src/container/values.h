/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

#include "container/exports.h"

/* Values: what the variables of templates stand for (system-image.md 3.3 to 3.5). */

/* What the tool knows; all (borrowed). @runtime and @name stand in units as they are: both were
   checked where they came in. */
typedef struct
{
  const char *name;       /* the container */
  const char *destdir;    /* absolute path of the deployment */
  const char *image_name; /* the reference as recorded */
  const char *image_id;   /* the manifest digest in hex */
  const char *runtime;    /* absolute path of the OCI runtime */
  gboolean pid_file;      /* the runtime knows “run --pid-file” */
  gboolean no_cgroups;    /* the runtime must leave cgroups alone (AtmRuntime) */
  const char *atomic;     /* absolute path of this program */
} AtmToolValues;

/**
 * atm_values_parse_set:
 * @settings: (nullable) (array zero-terminated=1): NAME=VALUE from --set; the last one wins
 * @values_out: (out) (transfer full) (element-type utf8 utf8): by name
 * @error: %G_IO_ERROR_INVALID_ARGUMENT: “Invalid value 'X'.  Expected form NAME=VALUE”
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_values_parse_set (char **settings, GHashTable **values_out, GError **error);

/**
 * atm_values_resolve:
 * @exports: (borrowed): templates decide the form of the exec directives, defaultValues are in it
 * @tool: (borrowed)
 * @set: (borrowed) (element-type utf8 utf8): from --set; forced variables in it are ignored
 * @stored: (nullable) (element-type utf8 utf8): of the deployment that is updated
 *
 * Returns: (transfer full) (element-type utf8 utf8): a value for every variable that has one, by
 *   the precedence of 3.5
 */
GHashTable *atm_values_resolve (const AtmExports *exports, const AtmToolValues *tool,
                                GHashTable *set, GHashTable *stored);

/**
 * atm_values_to_store:
 *
 * Returns: (transfer full) (element-type utf8 utf8): what `info` keeps: @set, @stored and UUID, so
 *   that defaults of a newer image and of the tool take effect at an update
 */
GHashTable *atm_values_to_store (GHashTable *values, GHashTable *set, GHashTable *stored);

/**
 * atm_values_dup_kept:
 * @stored: (borrowed) (element-type utf8 utf8): “values” of the deployment that is to be replaced
 * @exports: (borrowed) (nullable): of that deployment's image, as far as they are known
 *
 * The Python tool stored all values it had used, the defaults of the image among them. One that is
 * what @exports has as its default was not set by anybody (system-image.md 3.5).
 *
 * Returns: (transfer full) (element-type utf8 utf8): what stays at an update
 */
GHashTable *atm_values_dup_kept (GHashTable *stored, const AtmExports *exports);

/**
 * atm_values_would_change:
 * @set: (borrowed) (element-type utf8 utf8): from --set
 * @stored: (borrowed) (element-type utf8 utf8)
 *
 * Returns: whether @set says anything that @stored does not; forced variables do not count
 */
gboolean atm_values_would_change (GHashTable *set, GHashTable *stored);

typedef enum
{
  ATM_VALUE_FORCED,   /* computed anew each time, whatever the user says */
  ATM_VALUE_SUPPLIED, /* the tool has a value, which --set may replace */
  ATM_VALUE_OF_IMAGE  /* from the image's defaults or from --set */
} AtmValueKind;

/**
 * atm_values_get_kind:
 *
 * Returns: who says what the variable @name is (system-image.md 3.5)
 */
AtmValueKind atm_values_get_kind (const char *name);
