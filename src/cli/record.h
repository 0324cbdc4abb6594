/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <json-glib/json-glib.h>

#include "container/record.h"

/* Records of containers, as text and as JSON; man/atomic-containers.1 describes the members. */

/* Adds an object. */
void atm_cli_add_entry (JsonBuilder *builder, const AtmRecordEntry *entry);

/* Prints it in a line, or two if there is a note. */
void atm_cli_print_entry (const AtmRecordEntry *entry, const char *indent);

/* Adds the member “settings”. */
void atm_cli_add_settings (JsonBuilder *builder, const AtmRecord *record);
void atm_cli_print_settings (const AtmRecord *record);
