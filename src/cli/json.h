/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "util/json.h"

/* JSON for scripts, member by member, beside what util/json.h has. Texts may be foreign; what is
 * not UTF-8 is made so. */

void atm_cli_add_string (JsonBuilder *builder, const char *name, const char *value); /* %NULL: "" */
void atm_cli_add_number (JsonBuilder *builder, const char *name, guint64 value);
void atm_cli_add_strings (JsonBuilder *builder, const char *name, char **values); /* %NULL: [] */
void atm_cli_add_map (JsonBuilder *builder, const char *name, GHashTable *map);   /* by key */

/**
 * atm_cli_print_json:
 * @builder: (borrowed): holds one whole value
 */
void atm_cli_print_json (JsonBuilder *builder);
