/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

/* Templates: text with $NAME and ${NAME} (system-image.md 3.1). */

/* Far above any template; default values are the image's own and may repeat. */
#define ATM_TEMPLATE_RESULT_MAX_BYTES (16 * 1024 * 1024)
#define ATM_TEMPLATE_UNSET_MAX 1000 /* names that one message lists */

#define ATM_TEMPLATE_ERROR (atm_template_error_quark ())
GQuark atm_template_error_quark (void);

typedef enum
{
  ATM_TEMPLATE_ERROR_PLACEHOLDER, /* a “$” that begins neither “$$” nor a name */
  ATM_TEMPLATE_ERROR_UNSET,       /* names without a value; the message lists all of them */
  ATM_TEMPLATE_ERROR_TOO_LARGE    /* the result is larger than ATM_TEMPLATE_RESULT_MAX_BYTES */
} AtmTemplateError;

/**
 * atm_template_substitute:
 * @template: (borrowed): untrusted bytes, any encoding
 * @values: (element-type utf8 utf8): name to value; values are inserted as they are
 * @file: how the message calls the template
 * @text_out: (out) (transfer full): the result
 * @error: %ATM_TEMPLATE_ERROR
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_template_substitute (GBytes *template, GHashTable *values, const char *file,
                                  GBytes **text_out, GError **error);

/**
 * atm_template_uses:
 *
 * Returns: whether @template has the placeholder $NAME or ${NAME}
 */
gboolean atm_template_uses (GBytes *template, const char *name);

/**
 * atm_template_add_names:
 * @names: (element-type utf8): a set; the names that @template uses are added
 */
void atm_template_add_names (GBytes *template, GHashTable *names);
