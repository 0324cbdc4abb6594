/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "registry/conf-file.h"
#include "registry/conf.h"
#include "registry/short-names.h"

/* What conf.c, conf-places.c and short-names.c share. */

/* An alias and where it stands. */
typedef struct
{
  char *name; /* (owned): the full name, without tag or digest */
  char *file; /* (owned) */
} AtmConfAlias;

void atm_conf_alias_free (AtmConfAlias *alias);

struct _AtmRegistriesConf
{
  GPtrArray *tables;   /* (owned) (element-type AtmConfTable): each prefix once */
  GHashTable *aliases; /* (owned): short name to AtmConfAlias */
  char **search;       /* (owned) (nullable) */
  char *search_file;   /* (owned) (nullable) */
  char **helpers;      /* (owned) */
  AtmShortNameMode mode;
  GPtrArray *files;    /* (owned) (element-type utf8): what was read */
  GPtrArray *absent;   /* (owned) (element-type utf8): main files that do not exist */
  GPtrArray *warnings; /* (owned) (element-type utf8) */
};

AtmRegistriesConf *atm_registries_conf_new (void);

/**
 * atm_registries_conf_merge:
 * @part: (transfer full): a later file
 */
void atm_registries_conf_merge (AtmRegistriesConf *conf, AtmConfFile *part);

/**
 * atm_registries_conf_merge_aliases:
 * @part: (borrowed): a later file with aliases; nothing else of it is taken
 */
void atm_registries_conf_merge_aliases (AtmRegistriesConf *conf, const AtmConfFile *part);

/**
 * atm_registries_conf_check:
 * @error: %G_IO_ERROR_INVALID_DATA: two tables that lead to one place do not agree how
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_registries_conf_check (const AtmRegistriesConf *conf, GError **error);
