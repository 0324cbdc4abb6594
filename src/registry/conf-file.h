/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

/* What one file of the configuration says, checked (registry.md 2.2). */

#define ATM_CONF_TABLES_MAX 1000
#define ATM_CONF_MIRRORS_MAX 100

typedef enum
{
  ATM_MIRROR_ALL,
  ATM_MIRROR_DIGEST_ONLY,
  ATM_MIRROR_TAG_ONLY
} AtmMirrorKind;

typedef struct
{
  char *location; /* (owned) */
  gboolean insecure;
  AtmMirrorKind kind;
} AtmConfMirror;

/* One [[registry]]. */
typedef struct
{
  char *prefix;       /* (owned): HOST[:PORT][/PATH…] or *.DOMAIN, domain in lower case */
  char *location;     /* (owned) (nullable): NULL: nothing is rewritten */
  GPtrArray *mirrors; /* (owned) (element-type AtmConfMirror): in the order of the file */
  gboolean insecure;
  gboolean blocked;
  char *file; /* (owned): where it stands, for messages */
} AtmConfTable;

void atm_conf_table_free (AtmConfTable *table);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmConfTable, atm_conf_table_free)

/**
 * atm_conf_find_table:
 * @tables: (element-type AtmConfTable)
 *
 * Returns: (borrowed) (nullable): the one with that prefix
 */
AtmConfTable *atm_conf_find_table (GPtrArray *tables, const char *prefix);

typedef enum
{
  ATM_SHORT_NAMES_UNSET,
  ATM_SHORT_NAMES_ENFORCING,
  ATM_SHORT_NAMES_PERMISSIVE,
  ATM_SHORT_NAMES_DISABLED
} AtmShortNameMode;

typedef struct
{
  char *file;          /* (owned) */
  GPtrArray *tables;   /* (owned) (element-type AtmConfTable): each prefix once */
  GHashTable *aliases; /* (owned) (nullable): short name to full name; "" takes an alias away */
  char **search;       /* (owned) (nullable): domains, in lower case */
  char **helpers;      /* (owned) (nullable) */
  AtmShortNameMode mode;
  GPtrArray *warnings; /* (owned) (element-type utf8) */
} AtmConfFile;

void atm_conf_file_free (AtmConfFile *part);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmConfFile, atm_conf_file_free)

/**
 * atm_conf_file_parse:
 * @bytes: (borrowed): TOML
 * @file: its name, for messages
 * @is_drop_in: it may not be of version 1
 * @error: %G_IO_ERROR_INVALID_DATA, naming @file, line and key
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_conf_file_parse (GBytes *bytes, const char *file, gboolean is_drop_in,
                              AtmConfFile **part_out, GError **error);
