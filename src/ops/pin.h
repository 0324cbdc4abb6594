/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "host/system.h"

/* Pins: images that `images delete` leaves alone. A pin is a file in CHECKOUT/.storage/pins, called
   as the ref of the image is, with the reference in it; it belongs to the name, whatever image that
   leads to. */

/**
 * atm_pin_set:
 * @reference: of an image that is in the store, as typed when it was pulled
 * @pinned: FALSE: take the pin away; one that is not there is no error
 * @error: %G_IO_ERROR
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_pin_set (const AtmSystem *system, const char *reference, gboolean pinned,
                      GError **error);

/**
 * atm_pin_get:
 *
 * Returns: whether @reference is pinned. What cannot be read is taken for a pin
 */
gboolean atm_pin_get (const AtmSystem *system, const char *reference);
