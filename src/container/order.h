/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

/* The order of containers, as their units ask for it (systemd.unit(5), Before=, After=). */

#define ATM_ORDER_LINES_MAX 100000

/**
 * atm_order_containers:
 * @names: (array zero-terminated=1): of containers, each once
 * @units: (array) (element-type GBytes) (nullable): as many texts of units, or %NULL for none;
 *   untrusted
 *
 * Relations to other units than those of @names are not looked at. Where the units have no order,
 * and where it is a cycle, that of @names holds.
 *
 * Returns: (transfer full): indices into @names in the order in which they start, as many
 */
guint *atm_order_containers (const char *const *names, GBytes *const *units);
