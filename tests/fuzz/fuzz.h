/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <string.h>

/* A fuzz target: takes any bytes, must neither crash nor leak nor hang. */
int LLVMFuzzerTestOneInput (const guint8 *data, gsize size);
