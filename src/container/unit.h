/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

#include "container/bundle.h"
#include "container/exports.h"
#include "image/config.h"

/* The unit and the tmpfiles fragment of a container (system-image.md 3.4, 4.1, 4.3). */

/**
 * atm_unit_render:
 * @exports: (borrowed)
 * @values: (borrowed): from atm_values_resolve()
 * @config: (nullable): of the image: labels and stop signal, for the default unit
 * @bundle: (borrowed): for the default unit: RequiresMountsFor= of bind sources
 * @text_out: (out) (transfer full): NAME.service
 * @error: %ATM_TEMPLATE_ERROR
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_unit_render (const AtmExports *exports, GHashTable *values,
                          const AtmImageConfig *config, const AtmBundle *bundle, GBytes **text_out,
                          GError **error);

/**
 * atm_tmpfiles_render:
 * @exports: (borrowed)
 * @values: (borrowed)
 * @bundle: (borrowed): for the default: one line for each bind source
 * @text_out: (out) (transfer full) (nullable): tmpfiles-NAME.conf; %NULL if there is nothing to say
 *   (an empty template is nothing to say, too)
 * @error: %ATM_TEMPLATE_ERROR
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_tmpfiles_render (const AtmExports *exports, GHashTable *values,
                              const AtmBundle *bundle, GBytes **text_out, GError **error);

/**
 * atm_tmpfiles_is_quiet:
 * @fragment: (borrowed): rendered; untrusted
 *
 * Returns: whether `systemd-tmpfiles --create`, repeated for @fragment, changes nothing that a
 * service could notice that runs already, and `--remove` does nothing
 */
gboolean atm_tmpfiles_is_quiet (GBytes *fragment);
